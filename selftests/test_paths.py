"""What outlives a run is where it belongs, and nothing else does."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kubeproof import paths

WRITERS, TIMES = 4, 500
LEFT = "import os, signal; from kubeproof import paths\nwith paths.temporary(): os.kill(os.getpid(), signal.SIGKILL)"


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
    with paths.temporary() as folder:
        assert folder.is_dir()
    assert not [*tmp_path.iterdir()]


def test_the_next_one_removes_those_of_killed_processes(of_the_killed: list[Path]) -> None:
    """Whoever is killed can't."""
    with paths.temporary():
        assert not of_the_killed[0].exists()


def test_another_process_keeps_its_own(of_the_killed: list[Path]) -> None:
    """It is at work in it."""
    others = of_the_killed[0].with_name(f"{paths.TEMPORARY}{os.getppid()}-others")
    others.mkdir()
    paths.forget_the_killed()
    assert others.is_dir()


def test_a_file_is_written_by_several_at_a_time(tmp_path: Path) -> None:
    """As xdist's workers do: each writes it whole, none is in another's way."""
    file, text = tmp_path / "file", "said\n" * 1000

    def write(_: int) -> None:
        paths.write_whole(file, text)

    with ThreadPoolExecutor(WRITERS) as pool:
        assert len([*pool.map(write, range(TIMES))]) == TIMES
    assert file.read_text() == text
    assert [*tmp_path.iterdir()] == [file]
