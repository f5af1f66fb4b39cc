"""The peer: the same checks as people write them with testinfra alone, `pytest -p bench.peer`, in one process.

Each command is a session of the ssh program, over testinfra's own default of one kept connection a machine
(ControlMaster), and one of sudo: testinfra's backend ssh:// with sudo. All else is the product's, so that the same is
judged: the peer has its lazy imports and its API client for nothing, which makes it faster than it would be.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

from kubeproof.access import machine


def enter(name: str, ssh_config: Path) -> Host:
    """testinfra's host for the machine, by the ssh program."""
    return testinfra.get_host(f"ssh://{name}", ssh_config=str(ssh_config), sudo=True)


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Put it in the place of the product's."""
    machine.enter = enter
