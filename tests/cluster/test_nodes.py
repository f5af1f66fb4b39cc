"""The nodes, as the API knows them."""

import pytest
from kubernetes.client.models import V1Node

from kubeproof.checks import Api, Node, Spec, condition

# By https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions; of the others
# there, unschedulable and out-of-service are somebody's doing.
CONDITIONS = ["not-ready", "unreachable", "network-unavailable", "memory-pressure", "disk-pressure", "pid-pressure"]
OF_CONDITIONS = {f"node.kubernetes.io/{name}" for name in CONDITIONS}


def lasting_taints(node: V1Node) -> list[tuple[str, str]]:
    """Those that somebody gave it: the cluster's own come and go with the node's conditions, which have checks."""
    return [(one.key, one.effect) for one in node.spec.taints or [] if one.key not in OF_CONDITIONS]


@pytest.mark.step("work_nodes.sh", "kubeadm-join")
@pytest.mark.needs("nodes")
def test_nodes_are_the_specs(api: Api, spec: Spec) -> None:
    """Exactly the spec's nodes are there: none is missing, none is a stranger."""
    assert {node.metadata.name for node in api.core.list_node().items} == {node.name for node in spec.nodes}


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
def test_node_is_registered(api: Api, node: Node) -> None:
    """The machine is a node of the cluster, by its own name."""
    assert node.name in {found.metadata.name for found in api.core.list_node().items}


@pytest.mark.step("master_node.sh", "pod-network")
def test_node_is_ready(registered_node: V1Node) -> None:
    """The node takes pods."""
    assert condition(registered_node, "Ready") == "True"


@pytest.mark.step("Vagrantfile", "memory")
@pytest.mark.parametrize("pressure", ["MemoryPressure", "DiskPressure", "PIDPressure"])
def test_no_pressure(registered_node: V1Node, pressure: str) -> None:
    """The node lacks neither memory nor disk nor process ids."""
    assert condition(registered_node, pressure) == "False"


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("network_plugin")
def test_network_is_available(registered_node: V1Node) -> None:
    """The CNI has set the node's network up."""
    assert condition(registered_node, "NetworkUnavailable") == "False"


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
@pytest.mark.needs("nodes.address")
def test_internal_ip(registered_node: V1Node, node: Node) -> None:
    """The cluster reaches the node by its private address."""
    addresses = registered_node.status.addresses
    assert [one.address for one in addresses if one.type == "InternalIP"] == [str(node.address)]


@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
@pytest.mark.usefixtures("registered_node")
def test_internal_ip_is_unique(api: Api, node: Node) -> None:
    """No other node is reached by the same address."""
    addresses = {
        found.metadata.name: [one.address for one in found.status.addresses or [] if one.type == "InternalIP"]
        for found in api.core.list_node().items
    }
    own = addresses.pop(node.name)
    assert own not in addresses.values()


@pytest.mark.step("install_pkg.sh", "kube-packages")
@pytest.mark.needs("kubernetes.version")
def test_kubelet_version_skew(registered_node: V1Node, spec: Spec) -> None:
    """The node's kubelet is the control plane's release: the spec has one for all."""
    assert registered_node.status.node_info.kubelet_version == f"v{spec.kubernetes.version}"


@pytest.mark.step("install_pkg.sh", "container-runtime")
def test_runtime_is_uniform(api: Api) -> None:
    """All nodes run the same runtime in the same version."""
    assert len({node.status.node_info.container_runtime_version for node in api.core.list_node().items}) == 1


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm", "control_plane")
def test_control_plane_label(api: Api, spec: Spec) -> None:
    """The control planes' nodes, and no others, have the role's label."""
    labelled = api.core.list_node(label_selector="node-role.kubernetes.io/control-plane").items
    assert {node.metadata.name for node in labelled} == {node.name for node in spec.control_planes}


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm", "control_plane")
def test_control_plane_taint(api: Api, spec: Spec) -> None:
    """Ordinary pods stay off the control plane."""
    taints = lasting_taints(api.core.read_node(spec.control_plane.name))
    assert taints == [("node-role.kubernetes.io/control-plane", "NoSchedule")]


@pytest.mark.step("work_nodes.sh", "kubeadm-join")
def test_worker_is_schedulable(registered_worker: V1Node) -> None:
    """The worker takes ordinary pods: neither cordoned nor tainted."""
    assert (registered_worker.spec.unschedulable, lasting_taints(registered_worker)) == (None, [])
