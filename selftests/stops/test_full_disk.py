"""The disk of a run can fill at any moment: it says so, nothing is left of it, and the next one needs no hand.

Cache and state of the lab are on a file system of their own, which is filled to its last block and stays so until the
run has ended.
"""

import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
import pytest

from kubeproof.process.waiting import wait_for
from selftests.stops.trial import LAB, PHASES, Lab, lab_in, nothing

SEED = 20240229
DISK_BYTES = 32 << 30  # sparse, and more than the parts of every bundled spec, a box and its machines take
END_SECONDS = 900  # kubeadm waits for minutes for what a full disk keeps from it
TRIALS = {"building": 2, "bringing up": 3, "judging": 2, "destroying": 1}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system, a folder of which is where the lab keeps its state."""
    folder, state = tmp_path_factory.mktemp("disk"), Path(platformdirs.user_state_dir(LAB))
    image, mounted = folder / "image", folder / "mounted"
    image.touch()
    os.truncate(image, DISK_BYTES)
    mounted.mkdir()
    state.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mounted], check=True)
    (mounted / "state").mkdir()
    subprocess.run(["mount", "--bind", mounted / "state", state], check=True)
    yield mounted
    subprocess.run(["umount", state], check=True)
    subprocess.run(["umount", mounted], check=True)
    image.unlink()


@pytest.fixture(scope="module")
def lab(disk: Path, spec: Path) -> Iterator[Lab]:
    """A lab on that disk."""
    with lab_in(disk / "cache", spec) as made:
        yield made


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave not a block free on it while the block runs."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        piece = DISK_BYTES
        while piece >= os.statvfs(disk).f_bsize:
            try:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, piece)
            except OSError:
                piece //= 2
    try:
        yield
    finally:
        filler.unlink()


def moments() -> list[tuple[str, float]]:
    """Random ones, the same each time: a phase, and seconds from its beginning."""
    chance = random.Random(SEED)  # noqa: S311 # no secret
    return [(phase, chance.uniform(0, PHASES[phase][1])) for phase, trials in TRIALS.items() for _ in range(trials)]


@pytest.mark.parametrize(("phase", "after"), moments())
def test_nothing_is_left_of_a_run_whose_disk_fills(
    phase: str, after: float, lab: Lab, disk: Path, tmp_path: Path
) -> None:
    """Also while it stays full; and a verdict that could be had is one."""
    if phase == "building":
        lab.forget_parts()
    with lab.run(tmp_path) as run:
        run.wait_for_phase(phase)
        time.sleep(after)
        with full(disk):
            run.process.wait(END_SECONDS)
            wait_for("nothing is left", lab.left, until=nothing, within=5)
    said = "".join(run.said)
    assert "Traceback" not in said, said
    assert run.process.returncode == pytest.ExitCode.OK or "The disk is full, or nearly so" in said, said


def test_results_that_can_not_be_kept_are_no_verdict(lab: Lab, small_disk: Path) -> None:
    """Where they are on a disk that fills, on which the end of the lab frees nothing."""
    with lab.run(small_disk / "reports") as run:
        run.wait_for_phase("judging")
        with full(small_disk):
            assert run.process.wait(END_SECONDS) == pytest.ExitCode.INTERNAL_ERROR, "".join(run.said)
            wait_for("nothing is left", lab.left, until=nothing, within=5)
    said = "".join(run.said)
    assert "INTERNALERROR" not in said, said
    assert f"NOT PROVED: the results can't be kept in {small_disk / 'reports'}" in said


def test_the_next_run_needs_no_hand(lab: Lab, tmp_path: Path) -> None:
    """It goes on from what was made whole, and is green."""
    with lab.run(tmp_path) as run:
        run.process.wait(END_SECONDS)
    assert run.process.returncode == pytest.ExitCode.OK, "".join(run.said)
    assert nothing(lab.left())
