"""The network of a machine: its private address, its routes, and its resolver."""

import configparser
import json

import pytest
from testinfra.host import Host

from kubeproof.checks import Node, Spec


@pytest.mark.step("Vagrantfile", "private_network")
@pytest.mark.needs("machines.private_interface", "nodes.address")
def test_private_address_is_up(machine: Host, node: Node, spec: Spec) -> None:
    """The private interface has the spec's address."""
    assert str(node.address) in machine.interface(spec.machines.private_interface).addresses


@pytest.mark.step("Vagrantfile", "private_network")
@pytest.mark.needs("machines.private_interface", "nodes.address")
def test_peers_via_private_nic(machine: Host, node: Node, spec: Spec) -> None:
    """The machine reaches every other node through the private interface, not through the provider's NAT."""
    peers = [str(peer.address) for peer in spec.nodes if peer != node]
    routes = {peer: json.loads(machine.check_output(f"ip -json route get {peer}"))[0]["dev"] for peer in peers}
    assert routes == dict.fromkeys(peers, spec.machines.private_interface)


@pytest.mark.step("Vagrantfile", "image")
@pytest.mark.needs("machines.default_interface")
def test_default_route_is_declared(machine: Host, spec: Spec) -> None:
    """The only default route leaves through the provider's own interface."""
    routes = json.loads(machine.check_output("ip -json route show default"))
    assert [route["dev"] for route in routes] == [spec.machines.default_interface]


@pytest.mark.step("config.sh", "resolver")
@pytest.mark.needs("machines.nameservers")
def test_resolver_is_declared(machine: Host, spec: Spec) -> None:
    """The nameservers are the spec's: a loopback address would make CoreDNS query itself."""
    servers = machine.check_output("awk '$1 == \"nameserver\" {print $2}' /etc/resolv.conf").split()
    assert servers == [str(server) for server in spec.machines.nameservers]


@pytest.mark.step("config.sh", "resolver")
@pytest.mark.needs("scripts")
def test_resolver_is_no_link(machine: Host) -> None:
    """resolv.conf is a regular file: another program could rewrite the target of a link."""
    assert not machine.file("/etc/resolv.conf").is_symlink


@pytest.mark.step("config.sh", "resolver")
@pytest.mark.needs("scripts")
def test_dhcp_leaves_the_resolver_alone(machine: Host) -> None:
    """dhclient-script(8) and its hooks do not write resolv.conf when a lease is renewed."""
    renewal = "make_resolv_conf() { echo written; }; for hook in /etc/dhcp/dhclient-enter-hooks.d/*; do . $hook; done"
    assert machine.check_output(f"{renewal}; make_resolv_conf") == ""


def network_manager(machine: Host) -> configparser.ConfigParser:
    """NetworkManager's configuration, merged from all its files."""
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(machine.check_output("NetworkManager --print-config"))
    return config


@pytest.mark.step("config.sh", "network-manager")
@pytest.mark.needs("scripts")
def test_network_manager_leaves_the_resolver_alone(machine: Host) -> None:
    """NetworkManager's option dns is none, so that it does not write resolv.conf (NetworkManager.conf(5))."""
    assert network_manager(machine).get("main", "dns", fallback="default") == "none"


@pytest.mark.step("config.sh", "network-manager")
@pytest.mark.needs("scripts", "components.calico")
def test_network_manager_leaves_calicos_interfaces_alone(machine: Host) -> None:
    """NetworkManager does not manage Calico's interfaces, which would lose their routes."""
    unmanaged = network_manager(machine).get("keyfile", "unmanaged-devices", fallback="")
    assert {"interface-name:cali*", "interface-name:vxlan.calico"} - set(unmanaged.split(";")) == set()


@pytest.mark.step("config.sh", "network-manager")
@pytest.mark.needs("scripts", "components.flannel")
def test_network_manager_leaves_flannels_interfaces_alone(machine: Host) -> None:
    """NetworkManager does not manage the interfaces of Flannel and its bridge, which would lose their addresses."""
    unmanaged = network_manager(machine).get("keyfile", "unmanaged-devices", fallback="")
    assert {"interface-name:flannel*", "interface-name:cni0"} - set(unmanaged.split(";")) == set()


@pytest.mark.step("config.sh", "resolver")
@pytest.mark.needs("machines.outside_names")
def test_resolver_answers(machine: Host, spec: Spec) -> None:
    """The resolver returns the spec's address for each outside name."""
    names = spec.machines.outside_names
    assert {name: machine.addr(name).ipv4_addresses for name in names} == {
        name: [str(address)] for name, address in names.items()
    }


@pytest.mark.step("config.sh", "resolver")
@pytest.mark.needs("scripts")
def test_search_domains(machine: Host) -> None:
    """resolv.conf has no search domain, which would leak into the pods' resolv.conf."""
    assert machine.check_output('awk \'$1 == "search" || $1 == "domain"\' /etc/resolv.conf') == ""


@pytest.mark.step("Vagrantfile", "private_network")
@pytest.mark.needs("scripts", "machines.private_interface")
def test_mtu(machine: Host, spec: Spec) -> None:
    """The private interface carries full Ethernet frames: its MTU is 1500."""
    mtu = json.loads(machine.check_output(f"ip -json link show {spec.machines.private_interface}"))[0]["mtu"]
    assert mtu == 1500  # IEEE 802.3
