"""`pytest -p bench.commands`: records the commands of the checks on each machine, which the floor runs at once."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from testinfra.backend.base import CommandResult

from kubeproof.access.root_shell import RootShell

FILE = "KUBEPROOF_BENCH_COMMANDS"  # the variable that names the file; xdist's workers inherit it


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Record each command before it runs."""
    run, file = RootShell.run, Path(os.environ[FILE])

    def recorded(self: RootShell, command: str, *args: str, **kwargs: Any) -> CommandResult:
        with file.open("a") as notes:
            notes.write(json.dumps([self.hostname, self.quote(command, *args)]) + "\n")
        return run(self, command, *args, **kwargs)

    RootShell.run = recorded  # type: ignore[method-assign] # recording is this plugin's purpose
