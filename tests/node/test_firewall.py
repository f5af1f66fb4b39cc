"""Nothing on the machines stands between them."""

from collections.abc import Callable

import pytest
from testinfra.host import Host

from kubeproof.checks import Spec

# https://kubernetes.io/docs/reference/networking/ports-and-protocols/ : kubelet's API, and kube-proxy's health
ON_EVERY_NODE = [10250, 10256]
API_PORT = 6443
FIREWALL_QUESTIONS = ["is-active", "is-enabled"]  # systemctl(1): status 0 is yes; another, no or no such unit


@pytest.mark.step("config.sh", "firewall-off")
@pytest.mark.needs("network_plugin")
def test_firewall_lets_the_cluster_work(machine: Host) -> None:
    """No firewalld runs, nor starts at boot: its rules and the pod network's would undo each other."""
    asked = {question: machine.run(f"systemctl {question} --quiet firewalld").rc for question in FIREWALL_QUESTIONS}
    assert [question for question, status in asked.items() if status == 0] == []


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
@pytest.mark.needs("components.kubelet", "components.kube-proxy", "control_plane", "nodes.address")
def test_peer_ports_are_open(pair: tuple[str, str], spec: Spec, enter: Callable[[str], Host]) -> None:
    """The one node reaches every port of the other on which the cluster listens."""
    target = spec.node(pair[1])
    ports = [*ON_EVERY_NODE, API_PORT] if target in spec.control_planes else ON_EVERY_NODE
    knock = f"timeout 2 bash -c '< /dev/tcp/{target.address}/'$port"
    reached = enter(pair[0]).run(f"for port in {' '.join(map(str, ports))}; do {knock} && echo $port; done")
    assert reached.stdout.split() == [str(port) for port in ports]


@pytest.mark.step("Vagrantfile", "image")
def test_iptables_backend_is_one(machine: Host) -> None:
    """All rules are in one of iptables' two backends: what is in the other is not seen by who looks in the one."""
    kept = {
        backend: machine.run(f"iptables-{backend}-save 2> /dev/null | grep --count '^-A'").stdout.strip()
        for backend in ("legacy", "nft")
    }
    assert "0" in kept.values()
