"""Nodes: the API lists exactly the spec's nodes, and they can run pods."""

import pytest
from kubernetes.client.models import V1Node

from kubeproof.checks import Api, Node, Spec, condition, wellknown

# The taints that the cluster itself sets, by
# https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions. An administrator
# causes the other taints of that list, unschedulable and out-of-service.
CONDITIONS = ["not-ready", "unreachable", "network-unavailable", "memory-pressure", "disk-pressure", "pid-pressure"]
CONDITION_TAINTS = {f"{wellknown.NODE_TAINTS}{name}" for name in CONDITIONS}


def lasting_taints(node: V1Node) -> list[tuple[str, str]]:
    """The key and effect of each taint that an administrator set; other checks judge the conditions of the node."""
    return [(taint.key, taint.effect) for taint in node.spec.taints or [] if taint.key not in CONDITION_TAINTS]


@pytest.mark.step("work_nodes.sh", "kubeadm-join")
@pytest.mark.needs("nodes")
def test_nodes_are_the_specs(api: Api, spec: Spec) -> None:
    """The cluster has exactly the spec's nodes."""
    assert {node.metadata.name for node in api.core.list_node().items} == {node.name for node in spec.nodes}


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
def test_node_is_registered(api: Api, node: Node) -> None:
    """The machine is registered as a node of the cluster, under its own name."""
    assert node.name in {registered.metadata.name for registered in api.core.list_node().items}


@pytest.mark.step("master_node.sh", "pod-network")
def test_node_is_ready(registered_node: V1Node) -> None:
    """The node is Ready, so that it can run pods."""
    assert condition(registered_node, "Ready") == "True"


@pytest.mark.step("Vagrantfile", "memory")
@pytest.mark.parametrize("pressure", ["MemoryPressure", "DiskPressure", "PIDPressure"])
def test_no_pressure(registered_node: V1Node, pressure: str) -> None:
    """The node has enough memory, disk space and process ids."""
    assert condition(registered_node, pressure) == "False"


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("network_plugin")
def test_network_is_available(registered_node: V1Node) -> None:
    """The network plugin has set up the node's network."""
    assert condition(registered_node, "NetworkUnavailable") == "False"


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
@pytest.mark.needs("nodes.address")
def test_internal_ip(registered_node: V1Node, node: Node) -> None:
    """The cluster reaches the node at its private address."""
    addresses = registered_node.status.addresses
    assert [address.address for address in addresses if address.type == "InternalIP"] == [str(node.address)]


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
@pytest.mark.usefixtures("registered_node")
def test_internal_ip_is_unique(api: Api, node: Node) -> None:
    """No other node has the same internal address."""
    addresses = {
        listed.metadata.name: [
            address.address for address in listed.status.addresses or [] if address.type == "InternalIP"
        ]
        for listed in api.core.list_node().items
    }
    own = addresses.pop(node.name)
    assert own not in addresses.values()


@pytest.mark.step("install_pkg.sh", "kube-packages")
@pytest.mark.needs("kubernetes.version")
def test_kubelet_version_skew(registered_node: V1Node, spec: Spec) -> None:
    """The node's kubelet is the spec's release, as the control plane is."""
    assert registered_node.status.node_info.kubelet_version == f"v{spec.kubernetes.version}"


@pytest.mark.step("install_pkg.sh", "container-runtime")
def test_runtime_is_uniform(api: Api) -> None:
    """All nodes run the same runtime in the same version."""
    assert len({node.status.node_info.container_runtime_version for node in api.core.list_node().items}) == 1


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm", "control_plane")
def test_control_plane_label(api: Api, spec: Spec) -> None:
    """The control plane's nodes, and no others, have the label of their role."""
    labelled = api.core.list_node(label_selector=wellknown.CONTROL_PLANE_LABEL).items
    assert {node.metadata.name for node in labelled} == {node.name for node in spec.control_planes}


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm", "control_plane")
def test_control_plane_taint(api: Api, spec: Spec) -> None:
    """The control plane has the taint that keeps ordinary pods off it."""
    taints = lasting_taints(api.core.read_node(spec.control_plane.name))
    assert taints == [(wellknown.CONTROL_PLANE_LABEL, "NoSchedule")]


@pytest.mark.step("work_nodes.sh", "kubeadm-join")
def test_worker_is_schedulable(registered_worker: V1Node) -> None:
    """The worker accepts ordinary pods: it is neither cordoned nor tainted."""
    assert (registered_worker.spec.unschedulable, lasting_taints(registered_worker)) == (None, [])
