"""Access: kubectl works wherever the kubeconfig is, and nowhere without it."""

import base64
import datetime
from collections.abc import Callable

import pytest
import yaml
from cryptography import x509
from kubernetes.client.models import V1Pod, V1Secret
from testinfra.host import Host

from kubeproof.checks import Api, Cluster, Node, Spec, http_status, stated, wellknown

GET_NODES = "get nodes --output name"
NEVER_EXPIRES = "0"  # kubeadm's time to live of a token without an end
ETCD = pytest.mark.needs("components.etcd")
ETCD_CERTIFICATES = ["apiserver-etcd-client", "etcd/ca", "etcd/server", "etcd/peer", "etcd/healthcheck-client"]
SHORTEST_VALIDITY = datetime.timedelta(days=30)  # enough time to renew a certificate


def validity(pem: bytes) -> datetime.timedelta:
    """The time until a certificate expires."""
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc - datetime.datetime.now(datetime.UTC)


def bootstrap_tokens(api: Api) -> list[V1Secret]:
    """The Secrets that hold the cluster's bootstrap tokens."""
    selector = wellknown.BOOTSTRAP_TOKENS
    return list(api.core.list_namespaced_secret(wellknown.SYSTEM_NAMESPACE, field_selector=selector).items)


def token_secret(spec: Spec) -> str:
    """The name of the Secret that holds the spec's bootstrap token."""
    return f"bootstrap-token-{stated(spec.kubernetes.bootstrap_token).split('.')[0]}"


@pytest.fixture
def kube_proxy_pod(api: Api, node: Node) -> V1Pod:
    """The kube-proxy pod of the node, for requests to its kubelet: every node has one."""
    pods = api.pods(wellknown.KUBE_PROXY_PODS, node.name)
    if not pods:
        pytest.fail(f"{node.name} has no kube-proxy pod to send a request to", pytrace=False)
    return pods[0]


@pytest.mark.step("master_node.sh", "kubeconfig")
@pytest.mark.needs("components.kubeadm", "nodes")
def test_kubectl_works_on_the_control_plane(control_plane: Host, spec: Spec) -> None:
    """root on the control plane uses kubectl without any option."""
    assert len(control_plane.check_output(f"kubectl {GET_NODES}").splitlines()) == len(spec.nodes)


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm", "machine.programs.kubectl")
def test_kubectl_works_from_a_worker(worker_node: Node, control_plane: Host, enter: Callable[[str], Host]) -> None:
    """kubectl on a worker reaches the API with nothing but the kubeconfig."""
    # Standard input leaves no copy of the kubeconfig on the worker.
    kubeconfig = control_plane.check_output("cat /etc/kubernetes/admin.conf")
    command = f"kubectl --kubeconfig /dev/stdin {GET_NODES} <<'EOF'\n{kubeconfig}\nEOF"
    names = enter(worker_node.name).check_output(command)
    assert f"node/{worker_node.name}" in names.splitlines()


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("nodes")
def test_kubectl_works_from_this_machine(cluster: Cluster, api: Api, spec: Spec) -> None:
    """A client on the machine that runs the suite reaches the API with nothing but the kubeconfig."""
    assert yaml.safe_load(cluster.kubeconfig.read_text())["current-context"] != ""
    assert len(api.core.list_node().items) == len(spec.nodes)


@pytest.mark.step("work_nodes.sh", "kubeadm-join")
@pytest.mark.needs("machine.programs.kubectl")
def test_kubectl_is_refused_without_kubeconfig(worker_node: Node, enter: Callable[[str], Host]) -> None:
    """kubectl on a worker is refused without a kubeconfig."""
    assert enter(worker_node.name).run(f"kubectl {GET_NODES} --request-timeout 5s").rc != 0


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("nodes.address")
def test_anonymous_reads_nothing(control_plane: Host, spec: Spec) -> None:
    """The API server does not list its nodes without credentials."""
    url = f"https://{spec.control_plane.address}:{wellknown.API_SERVER_PORT}/api/v1/nodes"
    assert http_status(control_plane, url) in (401, 403)


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm", "nodes.address")
def test_api_certificate_names(control_plane: Host, spec: Spec) -> None:
    """The API server's certificate contains the control plane's private address."""
    pem = control_plane.file("/etc/kubernetes/pki/apiserver.crt").content
    names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert spec.control_plane.address in names.value.get_values_for_type(x509.IPAddress)


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.parametrize(
    "name",
    [
        *["ca", "apiserver", "apiserver-kubelet-client", "front-proxy-ca", "front-proxy-client"],
        *[pytest.param(name, marks=ETCD) for name in ETCD_CERTIFICATES],
    ],
)
@pytest.mark.needs("components.kubeadm")
def test_certificate_lasts(control_plane: Host, name: str) -> None:
    """The certificate is valid for another 30 days."""
    assert validity(control_plane.file(f"/etc/kubernetes/pki/{name}.crt").content) > SHORTEST_VALIDITY


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.parametrize("name", ["admin", "super-admin", "controller-manager", "scheduler"])
@pytest.mark.needs("components.kubeadm")
def test_kubeconfig_lasts(control_plane: Host, name: str) -> None:
    """The kubeconfig's client certificate is valid for another 30 days."""
    [user] = yaml.safe_load(control_plane.file(f"/etc/kubernetes/{name}.conf").content_string)["users"]
    assert validity(base64.b64decode(user["user"]["client-certificate-data"])) > SHORTEST_VALIDITY


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
@pytest.mark.needs("components.kubeadm")
def test_kubelet_certificate_lasts(machine: Host) -> None:
    """kubelet's client certificate, which kubelet renews by itself, is valid for another 30 days."""
    assert validity(machine.file("/var/lib/kubelet/pki/kubelet-client-current.pem").content) > SHORTEST_VALIDITY


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm")
def test_token_expires(api: Api) -> None:
    """Every bootstrap token expires."""
    assert [secret.metadata.name for secret in bootstrap_tokens(api) if "expiration" not in secret.data] == []


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("kubernetes.bootstrap_token")
def test_bootstrap_token_is_the_specs(api: Api, spec: Spec) -> None:
    """The API has the spec's bootstrap token, with which the scripts join machines."""
    assert token_secret(spec) in [secret.metadata.name for secret in bootstrap_tokens(api)]


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("kubernetes.bootstrap_token", "kubernetes.bootstrap_token_ttl")
def test_bootstrap_token_lasts_as_declared(api: Api, spec: Spec) -> None:
    """The spec's bootstrap token expires if, and only if, the spec gives it a time to live."""
    secret = api.core.read_namespaced_secret(token_secret(spec), wellknown.SYSTEM_NAMESPACE)
    assert ("expiration" in secret.data) == (spec.kubernetes.bootstrap_token_ttl != NEVER_EXPIRES)


@pytest.mark.step("work_nodes.sh", "kubeadm-join")
@pytest.mark.needs("scripts")
def test_join_verifies_the_ca(worker_node: Node, enter: Callable[[str], Host]) -> None:
    """The worker verified the API server by the CA's hash when it joined."""
    assert "caCertHashes" in enter(worker_node.name).file("/etc/kubernetes/kubeadm.yaml").content_string


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
@pytest.mark.needs("kubernetes.bootstrap_token")
def test_join_secret_is_not_shared(machine: Host, spec: Spec) -> None:
    """No file that every user can read contains the bootstrap token."""
    folders = "/etc /home /opt /srv /tmp /var/log /var/tmp /vagrant"
    copies = machine.run(
        f"find {folders} -xdev -type f -perm /o=r -size -1000k -exec grep --files-with-matches --fixed-strings -e "
        f"{spec.kubernetes.bootstrap_token} {{}} +"
    )
    assert copies.stdout.split() == []


@pytest.mark.step("master_node.sh", "kubeconfig", role="control-plane")
@pytest.mark.needs("components.kubeadm")
def test_kubeconfig_has_no_copy(machine: Host) -> None:
    """No shared or world-writable folder contains an administrator's key."""
    folders = "/home /opt /srv /tmp /var/tmp /vagrant"
    copies = machine.run(
        f"find {folders} -xdev -type f -size -1000k -exec grep --files-with-matches -e 'client-key-data: ' {{}} +"
    )
    assert copies.stdout.split() == []


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kube-proxy")
def test_exec_works(api: Api, kube_proxy_pod: V1Pod) -> None:
    """The API server runs a command in a pod of the node, through the node's kubelet."""
    # kube-proxy's image may contain no other program.
    assert api.execute(kube_proxy_pod, "kube-proxy", "--version").startswith("Kubernetes v")


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kube-proxy")
def test_logs_work(api: Api, kube_proxy_pod: V1Pod) -> None:
    """The API server returns the log of a pod of the node, through the node's kubelet."""
    name, namespace = kube_proxy_pod.metadata.name, kube_proxy_pod.metadata.namespace
    assert api.core.read_namespaced_pod_log(name, namespace, tail_lines=5) != ""
