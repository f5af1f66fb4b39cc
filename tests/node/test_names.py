"""Names: each machine knows itself and every other by the private network's addresses."""

from collections.abc import Callable

import pytest
from testinfra.host import Host

from kubeproof.spec import Node, Spec


@pytest.mark.step("config.sh", "hosts")
@pytest.mark.needs("scripts", "nodes.address")
def test_hosts_has_every_node(machine: Host, spec: Spec) -> None:
    """Every node's name gives its private address."""
    entries = [line.split() for line in machine.file("/etc/hosts").content_string.splitlines() if line[:1].isdigit()]
    addresses = {name: entry[0] for entry in reversed(entries) for name in entry[1:]}
    assert {node.name: addresses.get(node.name) for node in spec.nodes} == {
        node.name: str(node.address) for node in spec.nodes
    }


@pytest.mark.step("config.sh", "hosts")
@pytest.mark.needs("nodes.address")
def test_hosts_keeps_loopback_apart(machine: Host, node: Node) -> None:
    """The machine's own name is not a loopback address, or kubelet and etcd would take that for theirs."""
    addresses = {line.split()[0] for line in machine.check_output(f"getent ahostsv4 {node.name}").splitlines()}
    assert addresses == {str(node.address)}


@pytest.mark.step("config.sh", "hosts")
@pytest.mark.needs("scripts")
def test_hosts_has_no_duplicates(machine: Host, spec: Spec) -> None:
    """Each node has one line, however often the machine was provisioned."""
    words = machine.file("/etc/hosts").content_string.split()
    assert {node.name: words.count(node.name) for node in spec.nodes} == {node.name: 1 for node in spec.nodes}


@pytest.mark.step("Vagrantfile", "hostname")
def test_hostname_is_the_nodes(machine: Host, node: Node) -> None:
    """The kernel's host name is the node's."""
    assert machine.check_output("hostname") == node.name


@pytest.mark.step("Vagrantfile", "hostname")
def test_hostname_is_unique(node: Node, spec: Spec, enter: Callable[[str], Host]) -> None:
    """No other machine calls itself the same."""
    others = [other.name for other in spec.nodes if other != node]
    assert enter(node.name).check_output("hostname") not in [enter(other).check_output("hostname") for other in others]


@pytest.mark.step("Vagrantfile", "image")
def test_product_uuid_is_unique(node: Node, spec: Spec, enter: Callable[[str], Host]) -> None:
    """No other machine has this one's firmware id: kubeadm's guide asks for it."""
    uuid = "cat /sys/class/dmi/id/product_uuid"
    others = [other.name for other in spec.nodes if other != node]
    assert enter(node.name).check_output(uuid) not in [enter(other).check_output(uuid) for other in others]


@pytest.mark.step("Vagrantfile", "image")
def test_machine_id_is_unique(node: Node, spec: Spec, enter: Callable[[str], Host]) -> None:
    """No other machine has this one's machine-id: a box that was cloned with one gives it to all."""
    others = [other.name for other in spec.nodes if other != node]
    own = enter(node.name).file("/etc/machine-id").content_string
    assert own not in [enter(other).file("/etc/machine-id").content_string for other in others]


@pytest.mark.step("Vagrantfile", "private_network")
@pytest.mark.needs("machines.private_interface")
def test_mac_is_unique(node: Node, spec: Spec, enter: Callable[[str], Host]) -> None:
    """No other machine has this one's hardware address on the private network."""
    address = f"cat /sys/class/net/{spec.machines.private_interface}/address"
    others = [other.name for other in spec.nodes if other != node]
    assert enter(node.name).check_output(address) not in [enter(other).check_output(address) for other in others]
