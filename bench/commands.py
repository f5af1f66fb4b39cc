"""`pytest -p bench.commands`: writes down what the checks run on each machine, for the floor to gather in one go."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from testinfra.backend.base import CommandResult

from kubeproof.access.root_shell import RootShell

FILE = "KUBEPROOF_BENCH_COMMANDS"  # the variable that names the file, for xdist's workers as well


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Note each command before it is run."""
    run, file = RootShell.run, Path(os.environ[FILE])

    def noted(self: RootShell, command: str, *args: str, **kwargs: Any) -> CommandResult:
        with file.open("a") as notes:
            notes.write(json.dumps([self.hostname, self.quote(command, *args)]) + "\n")
        return run(self, command, *args, **kwargs)

    RootShell.run = noted  # type: ignore[method-assign] # that is what this is for
