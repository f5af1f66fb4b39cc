"""The folders of a process end with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kubeproof.process import temporary

KILLED = """
import os, signal
from kubeproof.process import temporary
with temporary.folder():
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def abandoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of a process that was killed before it could remove it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    subprocess.run([sys.executable, "-c", KILLED], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    [folder] = tmp_path.iterdir()
    return folder


def test_a_temporary_folder_ends_with_its_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Like the folder of a run."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with temporary.folder() as folder:
        assert folder.is_dir()
    assert not [*tmp_path.iterdir()]


def test_the_next_process_removes_folders_of_killed_ones(abandoned: Path) -> None:
    """A killed process can't do it."""
    with temporary.folder():
        assert not abandoned.exists()


def test_another_process_keeps_its_folder(abandoned: Path) -> None:
    """It still uses it."""
    used = abandoned.with_name(f"{temporary.PREFIX}{os.getppid()}-used")
    used.mkdir()
    temporary.remove_abandoned()
    assert used.is_dir()
