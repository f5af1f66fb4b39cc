"""kubelet, the node's agent."""

import pytest
from testinfra.host import Host

from kubeproof.checks import Node, http_status

pytestmark = pytest.mark.needs("components.kubelet")


@pytest.mark.step("install_pkg.sh", "kubelet-enabled")
def test_kubelet_is_enabled(machine: Host) -> None:
    """kubelet starts at boot."""
    assert machine.service("kubelet").is_enabled


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
def test_kubelet_is_running(machine: Host) -> None:
    """kubelet runs: until its machine is part of a cluster it only starts, and ends."""
    assert machine.service("kubelet").is_running


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
def test_kubelet_is_healthy(machine: Host) -> None:
    """kubelet's own health endpoint says ok."""
    assert machine.check_output("curl --silent --max-time 5 http://127.0.0.1:10248/healthz") == "ok"


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
@pytest.mark.needs("nodes.address")
def test_kubelet_node_ip(machine: Host, node: Node) -> None:
    """kubelet is told the private address: left to itself it takes the NAT interface's."""
    assert f"--node-ip={node.address}" in machine.process.get(comm="kubelet").args.split()


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
def test_kubelet_refuses_anonymous(machine: Host) -> None:
    """kubelet's API answers nobody without credentials."""
    assert http_status(machine, "https://127.0.0.1:10250/pods") == 401
