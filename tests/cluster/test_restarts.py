"""The system's pods go on running: nothing was started again since this run first looked."""

import pytest

from kubeproof.checks import Api, Restarts, stability


@pytest.mark.once
@pytest.mark.step("master_node.sh", "pod-network")
def test_restarts_do_not_grow(api: Api, restarts: Restarts) -> None:
    """No container of the system's pods has been started again."""
    now = stability.container_restarts(api)
    assert {name: now[name] for name in restarts.containers if now.get(name, 0) > restarts.containers[name]} == {}
