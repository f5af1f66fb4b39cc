"""The peer, `pytest -p bench.peer` in one process: the same checks as people write them with testinfra alone.

Each command is a session of the ssh program and one of sudo, over testinfra's default of one kept connection a machine
(ControlMaster): its backend ssh:// with sudo. The rest is the product's, so that both judge the same facts; the
product's lazy imports and API client make the peer faster than it would be.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

from kubeproof.access import ssh


def enter(name: str, ssh_config: Path) -> Host:
    """testinfra's host for the machine, over the ssh program."""
    return testinfra.get_host(f"ssh://{name}", ssh_config=str(ssh_config), sudo=True)


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Replace the product's way to enter a machine."""
    ssh.enter = enter
