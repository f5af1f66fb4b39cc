"""Names: each machine resolves every node's name to its private address, and no two machines have the same identity."""

from collections.abc import Callable

import pytest
from testinfra.host import Host

from kubeproof.checks import Node, Spec


@pytest.mark.step("config.sh", "hosts")
@pytest.mark.needs("scripts", "nodes.address")
def test_hosts_has_every_node(machine: Host, spec: Spec) -> None:
    """The machine resolves every node's name to that node's private address."""
    assert {node.name: machine.addr(node.name).ipv4_addresses for node in spec.nodes} == {
        node.name: [str(node.address)] for node in spec.nodes
    }


@pytest.mark.step("config.sh", "hosts")
@pytest.mark.needs("nodes.address")
def test_hosts_keeps_loopback_apart(machine: Host, node: Node) -> None:
    """The machine's own name is not a loopback address, which kubelet and etcd would use as their own."""
    assert machine.addr(node.name).ipv4_addresses == [str(node.address)]


@pytest.mark.step("config.sh", "hosts")
@pytest.mark.needs("scripts")
def test_hosts_has_no_duplicates(machine: Host, spec: Spec) -> None:
    """/etc/hosts names each node once, however often the machine was provisioned."""
    words = machine.file("/etc/hosts").content_string.split()
    assert {node.name: words.count(node.name) for node in spec.nodes} == {node.name: 1 for node in spec.nodes}


@pytest.mark.step("Vagrantfile", "hostname")
def test_hostname_is_the_nodes(machine: Host, node: Node) -> None:
    """The kernel's host name is the node's name."""
    assert machine.sysctl("kernel.hostname") == node.name


@pytest.mark.step("Vagrantfile", "hostname")
def test_hostname_is_unique(pair: tuple[str, str], enter: Callable[[str], Host]) -> None:
    """The two machines have different host names."""
    source, target = (enter(name).sysctl("kernel.hostname") for name in pair)
    assert source != target


@pytest.mark.step("Vagrantfile", "image")
def test_product_uuid_is_unique(pair: tuple[str, str], enter: Callable[[str], Host]) -> None:
    """The two machines have different firmware ids, as kubeadm's guide requires."""
    source, target = (enter(name).file("/sys/class/dmi/id/product_uuid").content_string for name in pair)
    assert source != target


@pytest.mark.step("Vagrantfile", "image")
def test_machine_id_is_unique(pair: tuple[str, str], enter: Callable[[str], Host]) -> None:
    """The two machines have different machine-ids: a box that contains one gives it to every clone."""
    source, target = (enter(name).file("/etc/machine-id").content_string for name in pair)
    assert source != target


@pytest.mark.step("Vagrantfile", "private_network")
@pytest.mark.needs("machines.private_interface")
def test_mac_is_unique(pair: tuple[str, str], spec: Spec, enter: Callable[[str], Host]) -> None:
    """The two machines have different hardware addresses on the private network."""
    address = f"/sys/class/net/{spec.machines.private_interface}/address"
    source, target = (enter(name).file(address).content_string for name in pair)
    assert source != target
