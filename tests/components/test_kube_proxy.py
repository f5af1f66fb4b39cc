"""kube-proxy, which makes Services reachable from each node."""

import pytest
import yaml
from testinfra.host import Host

from kubeproof.checks import Api, Node, Spec, http_status, is_ready, wellknown

pytestmark = pytest.mark.needs("components.kube-proxy")


@pytest.mark.step("master_node.sh", "kubeadm-init")
def test_kube_proxy_on_every_node(api: Api, node: Node) -> None:
    """One kube-proxy pod is Ready on the node."""
    assert [is_ready(pod) for pod in api.pods(wellknown.KUBE_PROXY_PODS, node.name)] == [True]


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.usefixtures("api")  # kube-proxy is a pod: more than its machine can keep it from starting
def test_kube_proxy_healthz(machine: Host) -> None:
    """kube-proxy reports that it is healthy, with rules that follow the API."""
    assert http_status(machine, f"http://127.0.0.1:{wellknown.KUBE_PROXY_HEALTH_PORT}/healthz") == 200


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("kubernetes.proxy_mode")
@pytest.mark.usefixtures("api")
def test_kube_proxy_mode(machine: Host, spec: Spec) -> None:
    """kube-proxy runs in the spec's mode."""
    url = f"http://127.0.0.1:{wellknown.KUBE_PROXY_METRICS_PORT}/proxyMode"
    mode = machine.check_output(f"curl --silent --max-time 5 {url}")
    assert mode == spec.kubernetes.proxy_mode


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm", "networks.pod")
def test_kube_proxy_cluster_cidr(api: Api, spec: Spec) -> None:
    """kube-proxy is configured with the spec's pod network."""
    config = api.core.read_namespaced_config_map("kube-proxy", wellknown.SYSTEM_NAMESPACE).data["config.conf"]
    assert yaml.safe_load(config)["clusterCIDR"] == str(spec.networks.pod)
