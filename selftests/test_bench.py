"""The bench compares its ratios with the committed ones, unless other processes kept the machine too busy."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import load
from bench.figures import COMMITTED, Figures
from kubeproof.process import paths
from kubeproof.process.waiting import wait_for

SPIN = "import time, pathlib, sys\nwhile time.process_time() < 1: pass\npathlib.Path(sys.argv[1]).touch()"


@pytest.fixture
def committed() -> Figures:
    """The committed figures."""
    return Figures.model_validate_json((paths.CHECKOUT / COMMITTED).read_text())


def slower(figures: Figures, others_share: float | None) -> Figures:
    """The same figures, but for reads that take twice as long."""
    reads = {
        **figures.reads,
        "product": {name: figure.model_copy() for name, figure in figures.reads["product"].items()},
    }
    reads["product"]["clock"].median *= 2
    return figures.model_copy(update={"reads": reads, "others_share": others_share})


@pytest.mark.parametrize("others_share", [None, 0.0, 0.25])
def test_a_ratio_that_got_worse_is_not_acceptable(committed: Figures, others_share: float | None) -> None:
    """The report has both values."""
    is_acceptable, report = slower(committed, others_share).compared_with(committed)
    assert not is_acceptable
    assert "worse by more than half: reads: clock, times the floor's: 1.69 -> 3.37" in report.splitlines()


@pytest.mark.parametrize("others_share", [None, 0.1])
def test_equal_ratios_are_acceptable(committed: Figures, others_share: float | None) -> None:
    """There is nothing to report."""
    assert committed.model_copy(update={"others_share": others_share}).compared_with(committed) == (True, "")


def test_a_busy_machine_is_too_busy_to_tell(committed: Figures) -> None:
    """The ratios that look worse are listed all the same."""
    is_acceptable, report = slower(committed, 0.4).compared_with(committed)
    assert is_acceptable
    assert report.splitlines()[0] == "too busy to tell: other processes took 40% of the cores"
    assert "reads: clock, times the floor's" in report


def test_the_check_says_so_and_passes(committed: Figures, tmp_path: Path) -> None:
    """As `make bench-check` runs it."""
    folder = tmp_path / "bench"
    folder.mkdir()
    committed.save(tmp_path / COMMITTED)
    environment = {**os.environ, "PYTHONPATH": str(paths.CHECKOUT)}
    for others_share, status in ((0.4, 0), (0.1, 1)):
        slower(committed, others_share).save(folder / "latest.json")
        command = [sys.executable, "-m", "bench", "--check"]
        run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (run.returncode, "too busy to tell: other processes" in run.stdout) == (status, status == 0), run.stderr


def test_only_the_time_of_other_processes_counts_as_theirs(tmp_path: Path) -> None:
    """A child's second is the bench's own; the second of a process that is no descendant is not."""
    foreign, own = tmp_path / "foreign", tmp_path / "own"
    with load.watched() as watched:
        started = time.monotonic()
        # The shell ends at once, and leaves its program to the init process.
        subprocess.run(["sh", "-c", '"$0" -c "$1" "$2" &', sys.executable, SPIN, str(foreign)], check=True)
        subprocess.run([sys.executable, "-c", SPIN, str(own)], check=True)
        wait_for("the other program's second", foreign.exists, within=60)
        elapsed = time.monotonic() - started
    assert watched.own >= 1
    assert watched.machine - watched.own >= 0.9
    assert 0 < watched.others_share <= 1
    assert watched.offered >= elapsed
