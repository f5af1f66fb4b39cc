"""CI always runs the tests and the main job, and of the other gates as many as fit into its time."""

import os
import subprocess
from pathlib import Path

import pytest

from kubeproof.process import paths

ALWAYS = ["test", "verify"]
OTHERS = 4


def run(folder: Path, limit: int, failing: str = "-") -> tuple[list[str], subprocess.CompletedProcess[str]]:
    """The words that make was given, one line a call, and what the script printed; make itself only notes them."""
    make = folder / "make"
    make.write_text(f'#!/bin/sh\necho "$*" >> {folder}/calls\ncase "$*" in {failing}) exit 2;; esac\n')
    make.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "CI_LIMIT_SECONDS": str(limit)}
    script = paths.CHECKOUT / ".ci" / "run"
    done = subprocess.run([script], env=environment, capture_output=True, text=True, check=False)
    return (folder / "calls").read_text().splitlines(), done


def test_all_gates_run_where_there_is_time(tmp_path: Path) -> None:
    """One after the other; the cluster is destroyed at the end."""
    calls, done = run(tmp_path, limit=3600)
    assert done.returncode == 0
    assert (calls[:2], len(calls), calls[-1]) == (ALWAYS, 2 + OTHERS + 1, "--silent destroy")
    assert done.stdout.splitlines()[-1].endswith("s: nothing")


def test_gates_that_do_not_fit_are_named_last(tmp_path: Path) -> None:
    """The tests and the main job run all the same."""
    calls, done = run(tmp_path, limit=0)
    assert (done.returncode, calls) == (0, [*ALWAYS, "--silent destroy"])
    last = done.stdout.splitlines()[-1]
    assert last.startswith("left out after ")
    assert last.count("make ") == OTHERS


@pytest.mark.parametrize("gate", ["test", "verify", "mutants*"])
def test_a_red_gate_is_the_end(tmp_path: Path, gate: str) -> None:
    """With its status; the cluster is destroyed all the same."""
    calls, done = run(tmp_path, limit=3600, failing=gate)
    assert done.returncode == 2
    assert calls[-1] == "--silent destroy"
    assert "left out" not in done.stdout
