"""Flannel, the pod network."""

import ipaddress
import json
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.client.models import V1Node
from testinfra.host import Host

from kubeproof.checks import Api, Node, Spec, is_ready, stated, wellknown

pytestmark = pytest.mark.needs("components.flannel")


def network_config(api: Api) -> dict[str, Any]:
    """The network configuration of every flanneld."""
    text = api.core.read_namespaced_config_map("kube-flannel-cfg", wellknown.FLANNEL_NAMESPACE).data["net-conf.json"]
    config: dict[str, Any] = json.loads(text)
    return config


def annotations(node: V1Node) -> dict[str, str]:
    """The annotations by which flanneld announces the node to others, without their common prefix."""
    prefix = "flannel.alpha.coreos.com/"
    return {name.removeprefix(prefix): value for name, value in node.metadata.annotations.items()}


def lease(machine: Host) -> dict[str, str]:
    """The values that flanneld writes for the CNI plugin."""
    lines = machine.file("/run/flannel/subnet.env").content_string.split()
    return dict(line.removeprefix("FLANNEL_").split("=", 1) for line in lines)


def link(machine: Host, interface: str) -> dict[str, Any]:
    """The kernel's description of an interface."""
    links: list[dict[str, Any]] = json.loads(machine.check_output(f"ip -details -json link show {interface}"))
    return links[0]


@pytest.mark.step("master_node.sh", "pod-network")
def test_flannel_on_every_node(api: Api, node: Node) -> None:
    """One kube-flannel pod is Ready on the node."""
    assert [is_ready(pod) for pod in api.pods(wellknown.FLANNEL_PODS, node.name, wellknown.FLANNEL_NAMESPACE)] == [True]


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("flannel.version")
def test_flannel_version(api: Api, spec: Spec) -> None:
    """Flannel's DaemonSet runs the spec's release."""
    image = (
        api.apps.read_namespaced_daemon_set("kube-flannel-ds", wellknown.FLANNEL_NAMESPACE)
        .spec.template.spec.containers[0]
        .image
    )
    assert image.rsplit(":", 1)[-1] == f"v{stated(spec.flannel).version}"


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("networks.pod")
def test_flannel_network(api: Api, spec: Spec) -> None:
    """Flannel's network is the spec's pod network."""
    assert network_config(api)["Network"] == str(spec.networks.pod)


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("flannel.backend")
def test_flannel_backend(registered_node: V1Node, spec: Spec) -> None:
    """The node's Flannel uses the spec's backend."""
    assert annotations(registered_node)["backend-type"] == stated(spec.flannel).backend


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("nodes.address")
def test_flannel_node_ip(registered_node: V1Node, node: Node) -> None:
    """Flannel reaches the node by its private address."""
    assert annotations(registered_node)["public-ip"] == str(node.address)


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("networks.pod")
def test_flannel_lease_network(machine: Host, spec: Spec) -> None:
    """The machine's flanneld uses the spec's pod network."""
    assert lease(machine)["NETWORK"] == str(spec.networks.pod)


@pytest.mark.step("master_node.sh", "pod-network")
def test_flannel_lease_subnet(registered_node: V1Node, machine: Host) -> None:
    """The machine's flanneld uses the pod addresses that the cluster assigned to the node."""
    subnet = ipaddress.IPv4Interface(lease(machine)["SUBNET"]).network
    assert str(subnet) == registered_node.spec.pod_cidr


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("pod_mtu")
def test_flannel_lease_mtu(machine: Host, spec: Spec) -> None:
    """The machine's pods get the MTU that the spec's backend leaves."""
    assert lease(machine)["MTU"] == str(spec.pod_mtu)


@pytest.mark.step("master_node.sh", "pod-network")
def test_flannel_pod_addresses(registered_node: V1Node, api: Api, node: Node) -> None:
    """Each pod's address is among those assigned to its node."""
    share = ipaddress.IPv4Network(registered_node.spec.pod_cidr)
    pods = [pod for pod in api.system_pods(node.name) if not pod.spec.host_network and pod.status.pod_ip]
    assert [pod.metadata.name for pod in pods if ipaddress.IPv4Address(pod.status.pod_ip) not in share] == []


@pytest.mark.step("master_node.sh", "pod-network")
def test_flannel_plugin_is_configured(machine: Host) -> None:
    """The runtime's first CNI configuration is Flannel's, with hairpin mode on, which a pod's own Service needs."""
    first = machine.check_output("ls /etc/cni/net.d/*.conf* | head -1")
    plugins = json.loads(machine.file(first).content_string)["plugins"]
    assert [(plugin["type"], plugin["delegate"]["hairpinMode"]) for plugin in plugins[:1]] == [("flannel", True)]


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("flannel_device", "machines.private_interface", "nodes.address")
def test_flannel_device_endpoint(machine: Host, node: Node, spec: Spec) -> None:
    """Encapsulated traffic leaves through the private interface, from the private address."""
    vxlan = link(machine, stated(spec.flannel_device))["linkinfo"]["info_data"]
    assert (vxlan["local"], vxlan["link"], vxlan["port"]) == (
        str(node.address),
        spec.machines.private_interface,
        wellknown.FLANNEL_VXLAN_PORT,
    )


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("flannel_device", "pod_mtu")
def test_flannel_device_mtu(machine: Host, spec: Spec) -> None:
    """Flannel's interface has the MTU that leaves room for the encapsulation."""
    assert link(machine, stated(spec.flannel_device))["mtu"] == stated(spec.pod_mtu)


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("flannel_device")
def test_flannel_route(api: Api, pair: tuple[str, str], spec: Spec, enter: Callable[[str], Host]) -> None:
    """The one node routes traffic for the other node's pods through Flannel's interface."""
    share = api.core.read_node(pair[1]).spec.pod_cidr
    routes = json.loads(enter(pair[0]).check_output(f"ip -json route show exact {share}"))
    assert [route["dev"] for route in routes] == [spec.flannel_device]
