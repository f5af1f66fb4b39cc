"""A process's own folders end with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kubeproof.process import temporary

LEFT = """
import os, signal
from kubeproof.process import temporary
with temporary.folder():
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def of_the_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The temporary folder of a process that had no time to remove it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    subprocess.run([sys.executable, "-c", LEFT], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    left = [*tmp_path.iterdir()]
    assert len(left) == 1
    return left


def test_a_temporary_folder_ends_with_its_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the run's does."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with temporary.folder() as folder:
        assert folder.is_dir()
    assert not [*tmp_path.iterdir()]


def test_the_next_one_removes_those_of_killed_processes(of_the_killed: list[Path]) -> None:
    """Whoever is killed can't."""
    with temporary.folder():
        assert not of_the_killed[0].exists()


def test_another_process_keeps_its_own(of_the_killed: list[Path]) -> None:
    """It is at work in it."""
    others = of_the_killed[0].with_name(f"{temporary.PREFIX}{os.getppid()}-others")
    others.mkdir()
    temporary.remove_abandoned()
    assert others.is_dir()
