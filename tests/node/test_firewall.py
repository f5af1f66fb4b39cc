"""Firewalls: nothing on the machines blocks the cluster's traffic."""

from collections.abc import Callable

import pytest
from testinfra.host import Host

from kubeproof.checks import Spec, wellknown

NODE_PORTS = [wellknown.KUBELET_PORT, wellknown.KUBE_PROXY_HEALTH_PORT]
FIREWALL_STATES = ["is-active", "is-enabled"]  # systemctl(1): status 0 is yes; another status is no, or no such unit


@pytest.mark.step("config.sh", "firewall-off")
@pytest.mark.needs("network_plugin")
def test_firewall_lets_the_cluster_work(machine: Host) -> None:
    """firewalld does not run and does not start at boot: its rules and the pod network's would undo each other."""
    statuses = {state: machine.run(f"systemctl {state} --quiet firewalld").rc for state in FIREWALL_STATES}
    assert [state for state, status in statuses.items() if status == 0] == []


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
@pytest.mark.needs("components.kubelet", "components.kube-proxy", "control_plane", "nodes.address")
def test_peer_ports_are_open(pair: tuple[str, str], spec: Spec, enter: Callable[[str], Host]) -> None:
    """One node reaches every port on which the cluster listens on the other node."""
    target = spec.node(pair[1])
    ports = [*NODE_PORTS, wellknown.API_SERVER_PORT] if target in spec.control_planes else NODE_PORTS
    connect = f"timeout 2 bash -c '< /dev/tcp/{target.address}/'$port"
    reached = enter(pair[0]).run(f"for port in {' '.join(map(str, ports))}; do {connect} && echo $port; done")
    assert reached.stdout.split() == [str(port) for port in ports]


@pytest.mark.step("Vagrantfile", "image")
def test_iptables_backend_is_one(machine: Host) -> None:
    """All rules are in one of iptables' two backends: a program that uses one does not see the other's rules."""
    counts = {
        backend: machine.run(f"iptables-{backend}-save 2> /dev/null | grep --count '^-A'").stdout.strip()
        for backend in ("legacy", "nft")
    }
    assert "0" in counts.values()
