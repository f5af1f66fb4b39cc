"""Calico, the pod network."""

import ipaddress
from typing import Any

import pytest
from kubernetes.client.models import V1Node

from kubeproof.checks import Api, Node, Spec, is_ready, stated, wellknown

pytestmark = pytest.mark.needs("components.calico")


def calico_objects(api: Api, plural: str) -> list[dict[str, Any]]:
    """All of Calico's own objects of one kind."""
    items: list[dict[str, Any]] = api.custom.list_cluster_custom_object("crd.projectcalico.org", "v1", plural)["items"]
    return items


@pytest.mark.step("master_node.sh", "pod-network")
def test_calico_on_every_node(api: Api, node: Node) -> None:
    """One calico-node pod is Ready on the node."""
    assert [is_ready(pod) for pod in api.pods(wellknown.CALICO_NODE_PODS, node.name)] == [True]


@pytest.mark.step("master_node.sh", "pod-network")
def test_calico_kube_controllers_is_ready(api: Api) -> None:
    """One calico-kube-controllers pod is Ready."""
    assert [is_ready(pod) for pod in api.pods(wellknown.CALICO_CONTROLLERS_PODS)] == [True]


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("calico.version")
def test_calico_version(api: Api, spec: Spec) -> None:
    """calico-node runs the spec's release of Calico."""
    image = (
        api.apps.read_namespaced_daemon_set("calico-node", wellknown.SYSTEM_NAMESPACE)
        .spec.template.spec.containers[0]
        .image
    )
    assert image.rsplit(":", 1)[-1] == f"v{stated(spec.calico).version}"


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("networks.pod")
def test_calico_ippool(api: Api, spec: Spec) -> None:
    """Calico's only IPv4 pool is the spec's pod network."""
    pools = [pool["spec"]["cidr"] for pool in calico_objects(api, "ippools") if ":" not in pool["spec"]["cidr"]]
    assert pools == [str(spec.networks.pod)]


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("calico.encapsulation")
def test_calico_encapsulation(api: Api, spec: Spec) -> None:
    """Pod traffic is encapsulated in VXLAN, in the spec's mode, and never in IP-in-IP."""
    modes = [(pool["spec"]["vxlanMode"], pool["spec"]["ipipMode"]) for pool in calico_objects(api, "ippools")]
    assert modes == [(stated(spec.calico).encapsulation, "Never")]


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("nodes.address")
def test_calico_node_ip(registered_node: V1Node, node: Node) -> None:
    """Calico uses the node's private address."""
    address = registered_node.metadata.annotations.get("projectcalico.org/IPv4Address")
    assert ipaddress.IPv4Interface(address).ip == node.address


@pytest.mark.step("master_node.sh", "pod-network")
def test_calico_blocks(api: Api) -> None:
    """Each pod's address is in a block of addresses that belongs to its node."""
    blocks = [
        (ipaddress.IPv4Network(item["spec"]["cidr"]), item["spec"]["affinity"])
        for item in calico_objects(api, "ipamblocks")
    ]
    pods = [pod for pod in api.pods() if not pod.spec.host_network and pod.status.pod_ip]
    owners = {
        pod.metadata.name: [owner for block, owner in blocks if ipaddress.IPv4Address(pod.status.pod_ip) in block]
        for pod in pods
    }
    assert owners == {pod.metadata.name: [f"host:{pod.spec.node_name}"] for pod in pods}
