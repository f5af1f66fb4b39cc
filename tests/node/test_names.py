"""Names: each machine knows itself and every other by the private network's addresses."""

from collections.abc import Callable

import pytest
from testinfra.host import Host

from kubeproof.checks import Node, Spec


@pytest.mark.step("config.sh", "hosts")
@pytest.mark.needs("scripts", "nodes.address")
def test_hosts_has_every_node(machine: Host, spec: Spec) -> None:
    """Every node's name gives its private address."""
    assert {node.name: machine.addr(node.name).ipv4_addresses for node in spec.nodes} == {
        node.name: [str(node.address)] for node in spec.nodes
    }


@pytest.mark.step("config.sh", "hosts")
@pytest.mark.needs("nodes.address")
def test_hosts_keeps_loopback_apart(machine: Host, node: Node) -> None:
    """The machine's own name is not a loopback address, or kubelet and etcd would take that for theirs."""
    assert machine.addr(node.name).ipv4_addresses == [str(node.address)]


@pytest.mark.step("config.sh", "hosts")
@pytest.mark.needs("scripts")
def test_hosts_has_no_duplicates(machine: Host, spec: Spec) -> None:
    """Each node has one line, however often the machine was provisioned."""
    words = machine.file("/etc/hosts").content_string.split()
    assert {node.name: words.count(node.name) for node in spec.nodes} == {node.name: 1 for node in spec.nodes}


@pytest.mark.step("Vagrantfile", "hostname")
def test_hostname_is_the_nodes(machine: Host, node: Node) -> None:
    """The kernel's host name is the node's."""
    assert machine.sysctl("kernel.hostname") == node.name


@pytest.mark.step("Vagrantfile", "hostname")
def test_hostname_is_unique(pair: tuple[str, str], enter: Callable[[str], Host]) -> None:
    """The one machine does not call itself as the other does."""
    one, other = (enter(name).sysctl("kernel.hostname") for name in pair)
    assert one != other


@pytest.mark.step("Vagrantfile", "image")
def test_product_uuid_is_unique(pair: tuple[str, str], enter: Callable[[str], Host]) -> None:
    """The one machine has not the other's firmware id: kubeadm's guide asks for it."""
    one, other = (enter(name).file("/sys/class/dmi/id/product_uuid").content_string for name in pair)
    assert one != other


@pytest.mark.step("Vagrantfile", "image")
def test_machine_id_is_unique(pair: tuple[str, str], enter: Callable[[str], Host]) -> None:
    """The one machine has not the other's machine-id: a box that was cloned with one gives it to all."""
    one, other = (enter(name).file("/etc/machine-id").content_string for name in pair)
    assert one != other


@pytest.mark.step("Vagrantfile", "private_network")
@pytest.mark.needs("machines.private_interface")
def test_mac_is_unique(pair: tuple[str, str], spec: Spec, enter: Callable[[str], Host]) -> None:
    """The one machine has not the other's hardware address on the private network."""
    address = f"/sys/class/net/{spec.machines.private_interface}/address"
    one, other = (enter(name).file(address).content_string for name in pair)
    assert one != other
