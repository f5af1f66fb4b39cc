"""Access: kubectl works from anywhere that has the kubeconfig, and from nowhere without it."""

import base64
import datetime
from collections.abc import Callable

import pytest
import yaml
from cryptography import x509
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.checks import Api, Cluster, Node, Spec, http_status, stated

NAMES = "get nodes --output name"
FOR_EVER = "0"  # a token's time to live, as kubeadm has it
ETCD = pytest.mark.needs("components.etcd")
OF_ETCD = ["apiserver-etcd-client", "etcd/ca", "etcd/server", "etcd/peer", "etcd/healthcheck-client"]
LEFT = datetime.timedelta(days=30)  # time enough to have them renewed


def lasts(pem: bytes) -> datetime.timedelta:
    """How long a certificate is still good for."""
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc - datetime.datetime.now(datetime.UTC)


@pytest.fixture
def kube_proxy_pod(api: Api, node: Node) -> V1Pod:
    """A pod of the node that can be asked: kube-proxy's, which every node has."""
    pods = api.pods("k8s-app=kube-proxy", node.name)
    if not pods:
        pytest.fail(f"{node.name} has no pod of kube-proxy that could be asked", pytrace=False)
    return pods[0]


@pytest.mark.step("master_node.sh", "kubeconfig")
@pytest.mark.needs("components.kubeadm", "nodes")
def test_kubectl_works_on_the_control_plane(control_plane: Host, spec: Spec) -> None:
    """root on the control plane needs no option."""
    assert len(control_plane.check_output(f"kubectl {NAMES}").splitlines()) == len(spec.nodes)


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm", "machine.programs.kubectl")
def test_kubectl_works_from_a_worker(worker_node: Node, control_plane: Host, enter: Callable[[str], Host]) -> None:
    """With the kubeconfig alone, given through standard input and left nowhere."""
    kubeconfig = control_plane.check_output("cat /etc/kubernetes/admin.conf")
    seen = enter(worker_node.name).check_output(f"kubectl --kubeconfig /dev/stdin {NAMES} <<'EOF'\n{kubeconfig}\nEOF")
    assert f"node/{worker_node.name}" in seen.splitlines()


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("nodes")
def test_kubectl_works_from_this_machine(cluster: Cluster, api: Api, spec: Spec) -> None:
    """The client on the machine that runs the suite reaches the API with the kubeconfig alone."""
    assert yaml.safe_load(cluster.kubeconfig.read_text())["current-context"] != ""
    assert len(api.core.list_node().items) == len(spec.nodes)


@pytest.mark.step("work_nodes.sh", "kubeadm-join")
@pytest.mark.needs("machine.programs.kubectl")
def test_kubectl_is_refused_without_kubeconfig(worker_node: Node, enter: Callable[[str], Host]) -> None:
    """A worker has no administrator's kubeconfig lying about."""
    assert enter(worker_node.name).run(f"kubectl {NAMES} --request-timeout 5s").rc != 0


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("nodes.address")
def test_anonymous_reads_nothing(control_plane: Host, spec: Spec) -> None:
    """The API server shows nobody its nodes without credentials."""
    assert http_status(control_plane, f"https://{spec.control_plane.address}:6443/api/v1/nodes") in (401, 403)


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm", "nodes.address")
def test_api_certificate_names(control_plane: Host, spec: Spec) -> None:
    """The API server's certificate is good for the control plane's private address."""
    pem = control_plane.file("/etc/kubernetes/pki/apiserver.crt").content
    names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert spec.control_plane.address in names.value.get_values_for_type(x509.IPAddress)


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.parametrize(
    "name",
    [
        *["ca", "apiserver", "apiserver-kubelet-client", "front-proxy-ca", "front-proxy-client"],
        *[pytest.param(name, marks=ETCD) for name in OF_ETCD],
    ],
)
@pytest.mark.needs("components.kubeadm")
def test_certificate_lasts(control_plane: Host, name: str) -> None:
    """The certificate is good for another 30 days."""
    assert lasts(control_plane.file(f"/etc/kubernetes/pki/{name}.crt").content) > LEFT


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.parametrize("name", ["admin", "super-admin", "controller-manager", "scheduler"])
@pytest.mark.needs("components.kubeadm")
def test_kubeconfig_lasts(control_plane: Host, name: str) -> None:
    """What the kubeconfig proves its user with is good for another 30 days."""
    [user] = yaml.safe_load(control_plane.file(f"/etc/kubernetes/{name}.conf").content_string)["users"]
    assert lasts(base64.b64decode(user["user"]["client-certificate-data"])) > LEFT


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
@pytest.mark.needs("components.kubeadm")
def test_kubelet_certificate_lasts(machine: Host) -> None:
    """What kubelet proves itself to the API server with is good for another 30 days: it renews it by itself."""
    assert lasts(machine.file("/var/lib/kubelet/pki/kubelet-client-current.pem").content) > LEFT


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm")
def test_token_expires(api: Api) -> None:
    """Every bootstrap token ends by itself."""
    secrets = api.core.list_namespaced_secret("kube-system", field_selector="type=bootstrap.kubernetes.io/token").items
    assert [one.metadata.name for one in secrets if "expiration" not in one.data] == []


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("kubernetes.bootstrap_token")
def test_bootstrap_token_is_the_specs(api: Api, spec: Spec) -> None:
    """The API knows the token with which the scripts join machines; kubeadm's own is another."""
    secrets = api.core.list_namespaced_secret("kube-system", field_selector="type=bootstrap.kubernetes.io/token").items
    assert f"bootstrap-token-{stated(spec.kubernetes.bootstrap_token).split('.')[0]}" in [
        one.metadata.name for one in secrets
    ]


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("kubernetes.bootstrap_token", "kubernetes.bootstrap_token_ttl")
def test_bootstrap_token_lasts_as_declared(api: Api, spec: Spec) -> None:
    """It ends by itself where the spec gives it a time to live, and does not where it gives none."""
    name = f"bootstrap-token-{stated(spec.kubernetes.bootstrap_token).split('.')[0]}"
    ends = "expiration" in api.core.read_namespaced_secret(name, "kube-system").data
    assert ends == (spec.kubernetes.bootstrap_token_ttl != FOR_EVER)


@pytest.mark.step("work_nodes.sh", "kubeadm-join")
@pytest.mark.needs("scripts")
def test_join_verifies_the_ca(worker_node: Node, enter: Callable[[str], Host]) -> None:
    """The worker joined with the CA's hash, so that nobody could have stood in for the API server."""
    assert "caCertHashes" in enter(worker_node.name).file("/etc/kubernetes/kubeadm.yaml").content_string


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
@pytest.mark.needs("kubernetes.bootstrap_token")
def test_join_secret_is_not_shared(machine: Host, spec: Spec) -> None:
    """No file that others can read has the bootstrap token."""
    places = "/etc /home /opt /srv /tmp /var/log /var/tmp /vagrant"
    found = machine.run(
        f"find {places} -xdev -type f -perm /o=r -size -1000k -exec grep --files-with-matches --fixed-strings -e "
        f"{spec.kubernetes.bootstrap_token} {{}} +"
    )
    assert found.stdout.split() == []


@pytest.mark.step("master_node.sh", "kubeconfig", role="control-plane")
@pytest.mark.needs("components.kubeadm")
def test_kubeconfig_has_no_copy(machine: Host) -> None:
    """No key of an administrator lies in a folder that is shared or anybody's."""
    places = "/home /opt /srv /tmp /var/tmp /vagrant"
    found = machine.run(
        f"find {places} -xdev -type f -size -1000k -exec grep --files-with-matches -e 'client-key-data: ' {{}} +"
    )
    assert found.stdout.split() == []


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kube-proxy")
def test_exec_works(api: Api, kube_proxy_pod: V1Pod) -> None:
    """A command runs in a pod of the node: the API server reaches its kubelet."""
    # Its image may have no other program.
    assert api.execute(kube_proxy_pod, "kube-proxy", "--version").startswith("Kubernetes v")


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kube-proxy")
def test_logs_work(api: Api, kube_proxy_pod: V1Pod) -> None:
    """The log of a pod of the node can be read."""
    name, namespace = kube_proxy_pod.metadata.name, kube_proxy_pod.metadata.namespace
    assert api.core.read_namespaced_pod_log(name, namespace, tail_lines=5) != ""
