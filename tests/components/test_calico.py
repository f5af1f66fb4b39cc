"""Calico, the pod network."""

import ipaddress
from typing import Any

import pytest
from kubernetes.client.models import V1Node

from kubeproof.checks import Api, Node, Spec, is_ready, stated, wellknown

pytestmark = pytest.mark.needs("components.calico")


def listed(api: Api, plural: str) -> list[dict[str, Any]]:
    """Calico's own objects of a kind."""
    found: list[dict[str, Any]] = api.custom.list_cluster_custom_object("crd.projectcalico.org", "v1", plural)["items"]
    return found


@pytest.mark.step("master_node.sh", "pod-network")
def test_calico_on_every_node(api: Api, node: Node) -> None:
    """One calico-node pod is Ready on the node."""
    assert [is_ready(pod) for pod in api.pods("k8s-app=calico-node", node.name)] == [True]


@pytest.mark.step("master_node.sh", "pod-network")
def test_calico_kube_controllers_is_ready(api: Api) -> None:
    """Calico's controllers run."""
    assert [is_ready(pod) for pod in api.pods("k8s-app=calico-kube-controllers")] == [True]


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("calico.version")
def test_calico_version(api: Api, spec: Spec) -> None:
    """Its nodes run the spec's release."""
    image = (
        api.apps.read_namespaced_daemon_set("calico-node", wellknown.SYSTEM_NAMESPACE)
        .spec.template.spec.containers[0]
        .image
    )
    assert image.rsplit(":", 1)[-1] == f"v{stated(spec.calico).version}"


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("networks.pod")
def test_calico_ippool(api: Api, spec: Spec) -> None:
    """The pods' addresses come from the spec's pod network, all of it and nothing else."""
    pools = [pool["spec"]["cidr"] for pool in listed(api, "ippools") if ":" not in pool["spec"]["cidr"]]
    assert pools == [str(spec.networks.pod)]


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("calico.encapsulation")
def test_calico_encapsulation(api: Api, spec: Spec) -> None:
    """Pod traffic is wrapped when the spec says, in VXLAN alone."""
    modes = [(pool["spec"]["vxlanMode"], pool["spec"]["ipipMode"]) for pool in listed(api, "ippools")]
    assert modes == [(stated(spec.calico).encapsulation, "Never")]


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("nodes.address")
def test_calico_node_ip(registered_node: V1Node, node: Node) -> None:
    """Calico reaches the node by its private address."""
    address = registered_node.metadata.annotations.get("projectcalico.org/IPv4Address")
    assert ipaddress.IPv4Interface(address).ip == node.address


@pytest.mark.step("master_node.sh", "pod-network")
def test_calico_blocks(api: Api) -> None:
    """Each pod's address lies in a block of addresses that belongs to its node."""
    blocks = [
        (ipaddress.IPv4Network(one["spec"]["cidr"]), one["spec"]["affinity"]) for one in listed(api, "ipamblocks")
    ]
    pods = [pod for pod in api.pods() if not pod.spec.host_network and pod.status.pod_ip]
    owners = {
        pod.metadata.name: [owner for block, owner in blocks if ipaddress.IPv4Address(pod.status.pod_ip) in block]
        for pod in pods
    }
    assert owners == {pod.metadata.name: [f"host:{pod.spec.node_name}"] for pod in pods}
