"""Restarts: no container of the system's pods has restarted since this run began."""

import pytest

from kubeproof.checks import Api, Restarts, stability


@pytest.mark.once
@pytest.mark.step("master_node.sh", "pod-network")
def test_restarts_do_not_grow(api: Api, restarts: Restarts) -> None:
    """No container of the system's pods has restarted since this run began."""
    counts = stability.container_restarts(api)
    assert {name: counts[name] for name, before in restarts.containers.items() if counts.get(name, 0) > before} == {}
