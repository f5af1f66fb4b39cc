"""kube-proxy, which makes Services reachable from each node."""

import pytest
import yaml
from testinfra.host import Host

from kubeproof.checks import Api, Node, Spec, http_status, is_ready, wellknown

pytestmark = pytest.mark.needs("components.kube-proxy")


@pytest.mark.step("master_node.sh", "kubeadm-init")
def test_kube_proxy_on_every_node(api: Api, node: Node) -> None:
    """One kube-proxy pod is Ready on the node."""
    assert [is_ready(pod) for pod in api.pods("k8s-app=kube-proxy", node.name)] == [True]


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.usefixtures("api")  # a pod: it takes its time where no cluster came to rest
def test_kube_proxy_healthz(machine: Host) -> None:
    """kube-proxy calls itself healthy: its rules are in step with the API."""
    assert http_status(machine, "http://127.0.0.1:10256/healthz") == 200


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("kubernetes.proxy_mode")
@pytest.mark.usefixtures("api")
def test_kube_proxy_mode(machine: Host, spec: Spec) -> None:
    """It programs what the spec says, so that others' rules and tools meet it where they expect it."""
    mode = machine.check_output("curl --silent --max-time 5 http://127.0.0.1:10249/proxyMode")
    assert mode == spec.kubernetes.proxy_mode


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm", "networks.pod")
def test_kube_proxy_cluster_cidr(api: Api, spec: Spec) -> None:
    """It knows which addresses are pods'."""
    config = api.core.read_namespaced_config_map("kube-proxy", wellknown.SYSTEM_NAMESPACE).data["config.conf"]
    assert yaml.safe_load(config)["clusterCIDR"] == str(spec.networks.pod)
