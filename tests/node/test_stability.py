"""Stability: kubelet has not restarted since this run began."""

from collections.abc import Callable

import pytest
from testinfra.host import Host

from kubeproof.checks import Node, Restarts, stability


@pytest.mark.once
@pytest.mark.step("master_node.sh", "kubeadm-init", role="control-plane")
@pytest.mark.step("work_nodes.sh", "kubeadm-join", role="worker")
@pytest.mark.needs("components.kubelet")
def test_kubelet_is_stable(node: Node, enter: Callable[[str], Host], restarts: Restarts) -> None:
    """systemd has not restarted kubelet since this run began."""
    assert stability.kubelet_restarts(enter(node.name)) == restarts.kubelets[node.name]
