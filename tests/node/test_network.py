"""The network of a machine: its private address, the way to its peers, and who answers its questions for names."""

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
    """Every other node is reached through the private interface, not through the provider's NAT."""
    peers = [str(other.address) for other in spec.nodes if other != node]
    routes = {peer: json.loads(machine.check_output(f"ip -json route get {peer}"))[0]["dev"] for peer in peers}
    assert routes == dict.fromkeys(peers, spec.machines.private_interface)


@pytest.mark.step("Vagrantfile", "image")
@pytest.mark.needs("machines.default_interface")
def test_default_route_is_declared(machine: Host, spec: Spec) -> None:
    """What is not the cluster's leaves through the provider's own interface, and through no other."""
    routes = json.loads(machine.check_output("ip -json route show default"))
    assert [route["dev"] for route in routes] == [spec.machines.default_interface]


@pytest.mark.step("config.sh", "resolver")
@pytest.mark.needs("machines.nameservers")
def test_resolver_is_declared(machine: Host, spec: Spec) -> None:
    """The nameservers are the spec's: a loopback one would make CoreDNS ask itself."""
    servers = machine.check_output("awk '$1 == \"nameserver\" {print $2}' /etc/resolv.conf").split()
    assert servers == [str(server) for server in spec.machines.nameservers]


@pytest.mark.step("config.sh", "resolver")
@pytest.mark.needs("scripts")
def test_resolver_is_no_link(machine: Host) -> None:
    """resolv.conf is a file of its own: a link leads to what another program writes."""
    assert not machine.file("/etc/resolv.conf").is_symlink


@pytest.mark.step("config.sh", "resolver")
@pytest.mark.needs("scripts")
def test_dhcp_leaves_the_resolver_alone(machine: Host) -> None:
    """dhclient-script(8), with its hooks, does not write resolv.conf when a lease is renewed."""
    renewed = "make_resolv_conf() { echo written; }; for hook in /etc/dhcp/dhclient-enter-hooks.d/*; do . $hook; done"
    assert machine.check_output(f"{renewed}; make_resolv_conf") == ""


def network_manager(machine: Host) -> configparser.ConfigParser:
    """NetworkManager's configuration, of all its files."""
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(machine.check_output("NetworkManager --print-config"))
    return config


@pytest.mark.step("config.sh", "network-manager")
@pytest.mark.needs("scripts")
def test_network_manager_leaves_the_resolver_alone(machine: Host) -> None:
    """NetworkManager.conf(5): with dns=none it does not write resolv.conf."""
    assert network_manager(machine).get("main", "dns", fallback="default") == "none"


@pytest.mark.step("config.sh", "network-manager")
@pytest.mark.needs("scripts", "components.calico")
def test_network_manager_leaves_calicos_interfaces_alone(machine: Host) -> None:
    """Managed, they would lose the routes that Calico gives them."""
    unmanaged = network_manager(machine).get("keyfile", "unmanaged-devices", fallback="")
    assert {"interface-name:cali*", "interface-name:vxlan.calico"} - set(unmanaged.split(";")) == set()


@pytest.mark.step("config.sh", "network-manager")
@pytest.mark.needs("scripts", "components.flannel")
def test_network_manager_leaves_flannels_interfaces_alone(machine: Host) -> None:
    """Managed, they would lose the addresses that Flannel and the bridge's plugin give them."""
    unmanaged = network_manager(machine).get("keyfile", "unmanaged-devices", fallback="")
    assert {"interface-name:flannel*", "interface-name:cni0"} - set(unmanaged.split(";")) == set()


@pytest.mark.step("config.sh", "resolver")
@pytest.mark.needs("machines.outside_names")
def test_resolver_answers(machine: Host, spec: Spec) -> None:
    """The resolver gives each outside name of the spec its address."""
    names = spec.machines.outside_names
    assert {name: machine.addr(name).ipv4_addresses for name in names} == {
        name: [str(address)] for name, address in names.items()
    }


@pytest.mark.step("config.sh", "resolver")
@pytest.mark.needs("scripts")
def test_search_domains(machine: Host) -> None:
    """No search domain of somebody else's leaks into the pods' resolv.conf."""
    assert machine.check_output('awk \'$1 == "search" || $1 == "domain"\' /etc/resolv.conf') == ""


@pytest.mark.step("Vagrantfile", "private_network")
@pytest.mark.needs("scripts", "machines.private_interface")
def test_mtu(machine: Host, spec: Spec) -> None:
    """The private interface carries whole Ethernet frames, as all its peers' do."""
    mtu = json.loads(machine.check_output(f"ip -json link show {spec.machines.private_interface}"))[0]["mtu"]
    assert mtu == 1500  # IEEE 802.3
