"""The last look: after all experiments the cluster is as it was."""

import pytest

from kubeproof.api import Api, condition, is_ready
from kubeproof.spec import Node

pytestmark = pytest.mark.after_experiments


def test_node_is_ready_again(api: Api, node: Node) -> None:
    """The node takes pods."""
    assert condition(api.core.read_node(node.name), "Ready") == "True"


def test_node_is_not_tainted_by_experiments(api: Api, worker_node: Node) -> None:
    """No experiment left a taint or a cordon."""
    found = api.core.read_node(worker_node.name).spec
    assert (found.unschedulable, found.taints) == (None, None)


def test_system_pods_are_ready_again(api: Api) -> None:
    """Every pod in kube-system is Ready."""
    assert [pod.metadata.name for pod in api.pods() if not is_ready(pod)] == []


@pytest.mark.needs("scripts")
def test_no_namespace_is_left(api: Api) -> None:
    """Nothing that the checks made is left, but what is on its way out."""
    names = [one.metadata.name for one in api.core.list_namespace().items if one.status.phase == "Active"]
    assert sorted(names) == ["default", "kube-node-lease", "kube-public", "kube-system"]
