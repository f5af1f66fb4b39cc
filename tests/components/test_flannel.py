"""Flannel, the pod network."""

import ipaddress
import json
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.client.models import V1Node
from testinfra.host import Host

from kubeproof.checks import Api, Node, Spec, is_ready, stated

NAMESPACE = "kube-flannel"
VXLAN_PORT = 8472  # the kernel's own default, which Flannel keeps

pytestmark = pytest.mark.needs("components.flannel")


def network_config(api: Api) -> dict[str, Any]:
    """What every node's flanneld is told of the network."""
    text = api.core.read_namespaced_config_map("kube-flannel-cfg", NAMESPACE).data["net-conf.json"]
    found: dict[str, Any] = json.loads(text)
    return found


def annotations(node: V1Node) -> dict[str, str]:
    """What the node's flanneld has told the others of itself, without the names' common prefix."""
    found = node.metadata.annotations
    return {name.removeprefix("flannel.alpha.coreos.com/"): value for name, value in found.items()}


def lease(machine: Host) -> dict[str, str]:
    """What flanneld has left for the CNI plugin."""
    lines = machine.file("/run/flannel/subnet.env").content_string.split()
    return dict(line.removeprefix("FLANNEL_").split("=", 1) for line in lines)


def link(machine: Host, interface: str) -> dict[str, Any]:
    """What the kernel says of an interface."""
    found: list[dict[str, Any]] = json.loads(machine.check_output(f"ip -details -json link show {interface}"))
    return found[0]


@pytest.mark.step("master_node.sh", "pod-network")
def test_flannel_on_every_node(api: Api, node: Node) -> None:
    """One kube-flannel pod is Ready on the node."""
    assert [is_ready(pod) for pod in api.pods("app=flannel", node.name, NAMESPACE)] == [True]


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("flannel.version")
def test_flannel_version(api: Api, spec: Spec) -> None:
    """Its nodes run the spec's release."""
    image = api.apps.read_namespaced_daemon_set("kube-flannel-ds", NAMESPACE).spec.template.spec.containers[0].image
    assert image.rsplit(":", 1)[-1] == f"v{stated(spec.flannel).version}"


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("networks.pod")
def test_flannel_network(api: Api, spec: Spec) -> None:
    """It is told the spec's pod network: what leaves that, it hides behind the machine's address."""
    assert network_config(api)["Network"] == str(spec.networks.pod)


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("flannel.backend")
def test_flannel_backend(registered_node: V1Node, spec: Spec) -> None:
    """The node's pod traffic is carried as the spec says."""
    assert annotations(registered_node)["backend-type"] == stated(spec.flannel).backend


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("nodes.address")
def test_flannel_node_ip(registered_node: V1Node, node: Node) -> None:
    """Other nodes' Flannel reaches this one by its private address."""
    assert annotations(registered_node)["public-ip"] == str(node.address)


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("networks.pod")
def test_flannel_lease_network(machine: Host, spec: Spec) -> None:
    """flanneld on the machine works with the spec's pod network."""
    assert lease(machine)["NETWORK"] == str(spec.networks.pod)


@pytest.mark.step("master_node.sh", "pod-network")
def test_flannel_lease_subnet(registered_node: V1Node, machine: Host) -> None:
    """The machine's pods get their addresses from the share that the cluster gave its node."""
    subnet = ipaddress.IPv4Interface(lease(machine)["SUBNET"]).network
    assert str(subnet) == registered_node.spec.pod_cidr


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("pod_mtu")
def test_flannel_lease_mtu(machine: Host, spec: Spec) -> None:
    """The machine's pods get what the spec's backend leaves of a frame."""
    assert lease(machine)["MTU"] == str(spec.pod_mtu)


@pytest.mark.step("master_node.sh", "pod-network")
def test_flannel_pod_addresses(registered_node: V1Node, api: Api, node: Node) -> None:
    """Each pod's address lies in the share of its node."""
    share = ipaddress.IPv4Network(registered_node.spec.pod_cidr)
    pods = [pod for pod in api.system_pods(node.name) if not pod.spec.host_network and pod.status.pod_ip]
    assert [pod.metadata.name for pod in pods if ipaddress.IPv4Address(pod.status.pod_ip) not in share] == []


@pytest.mark.step("master_node.sh", "pod-network")
def test_flannel_plugin_is_configured(machine: Host) -> None:
    """The runtime's first CNI configuration is Flannel's, with the hairpin that a pod's own Service needs."""
    first = machine.check_output("ls /etc/cni/net.d/*.conf* | head -1")
    plugins = json.loads(machine.file(first).content_string)["plugins"]
    assert [(one["type"], one["delegate"]["hairpinMode"]) for one in plugins[:1]] == [("flannel", True)]


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("flannel_device", "machines.private_interface", "nodes.address")
def test_flannel_device_endpoint(machine: Host, node: Node, spec: Spec) -> None:
    """Wrapped traffic leaves from the private address, by the private interface."""
    wrapping = link(machine, stated(spec.flannel_device))["linkinfo"]["info_data"]
    assert (wrapping["local"], wrapping["link"], wrapping["port"]) == (
        str(node.address),
        spec.machines.private_interface,
        VXLAN_PORT,
    )


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("flannel_device", "pod_mtu")
def test_flannel_device_mtu(machine: Host, spec: Spec) -> None:
    """What is wrapped still fits into a frame."""
    assert link(machine, stated(spec.flannel_device))["mtu"] == stated(spec.pod_mtu)


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("flannel_device")
def test_flannel_route(api: Api, pair: tuple[str, str], spec: Spec, enter: Callable[[str], Host]) -> None:
    """The one node sends what is for the other's share of pod addresses through the wrapping interface."""
    share = api.core.read_node(pair[1]).spec.pod_cidr
    routes = json.loads(enter(pair[0]).check_output(f"ip -json route show exact {share}"))
    assert [route["dev"] for route in routes] == [spec.flannel_device]
