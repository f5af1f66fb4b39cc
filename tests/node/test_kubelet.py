"""kubelet, the node's agent."""

import pytest
from testinfra.host import Host

from kubeproof.checks import Node, http_status, wellknown

pytestmark = pytest.mark.needs("components.kubelet")


@pytest.mark.step("install_pkg.sh", "kubelet-enabled")
def test_kubelet_is_enabled(machine: Host) -> None:
    """kubelet starts at boot."""
    assert machine.service("kubelet").is_enabled


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
def test_kubelet_is_running(machine: Host) -> None:
    """kubelet runs: before its machine joins a cluster, it starts and ends again and again."""
    assert machine.service("kubelet").is_running


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
def test_kubelet_is_healthy(machine: Host) -> None:
    """kubelet's health endpoint returns ok."""
    url = f"http://127.0.0.1:{wellknown.KUBELET_HEALTH_PORT}/healthz"
    assert machine.check_output(f"curl --silent --max-time 5 {url}") == "ok"


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
@pytest.mark.needs("nodes.address")
def test_kubelet_node_ip(machine: Host, node: Node) -> None:
    """kubelet's option --node-ip is the private address: by default it takes the NAT interface's address."""
    assert f"--node-ip={node.address}" in machine.process.get(comm="kubelet").args.split()


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
def test_kubelet_refuses_anonymous(machine: Host) -> None:
    """kubelet's API refuses requests without credentials."""
    assert http_status(machine, f"https://127.0.0.1:{wellknown.KUBELET_PORT}/pods") == 401
