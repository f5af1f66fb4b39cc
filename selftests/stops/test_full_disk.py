"""The disk can fill at any moment: the run reports it and leaves nothing, and the next run needs no manual help.

Cache and state of the lab are on a separate file system, which is filled to its last block until the run has ended.
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
DISK_BYTES = 32 << 30  # sparse; more than the parts of every bundled spec, a box and its machines need
END_SECONDS = 900  # kubeadm waits minutes for what a full disk prevents
TRIALS = {"building": 2, "bringing up": 3, "judging": 2, "destroying": 1}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system with a folder in which the lab keeps its state."""
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
    """A lab on that file system."""
    with lab_in(disk / "cache", spec) as lab_on_disk:
        yield lab_on_disk


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no free block on the disk for the duration of the with block."""
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
    """Random pairs of a phase and seconds from its beginning, the same in each session."""
    chance = random.Random(SEED)  # noqa: S311 # not a secret
    return [(phase, chance.uniform(0, PHASES[phase][1])) for phase, trials in TRIALS.items() for _ in range(trials)]


@pytest.mark.parametrize(("phase", "after"), moments())
def test_nothing_is_left_of_a_run_whose_disk_fills(
    phase: str, after: float, lab: Lab, disk: Path, tmp_path: Path
) -> None:
    """Nothing is left although the disk stays full; the run is green or reports the full disk."""
    if phase == "building":
        lab.forget_parts()
    with lab.run(tmp_path) as run:
        run.wait_for_phase(phase)
        time.sleep(after)
        with full(disk):
            run.process.wait(END_SECONDS)
            wait_for("nothing is left", lab.left, until=nothing, within=5)
    output = "".join(run.output)
    assert "Traceback" not in output, output
    assert run.process.returncode == pytest.ExitCode.OK or "The disk is full, or nearly so" in output, output


def test_results_that_can_not_be_kept_are_no_verdict(lab: Lab, small_disk: Path) -> None:
    """The reports are on a full disk, on which the end of the lab frees nothing."""
    with lab.run(small_disk / "reports") as run:
        run.wait_for_phase("judging")
        with full(small_disk):
            assert run.process.wait(END_SECONDS) == pytest.ExitCode.INTERNAL_ERROR, "".join(run.output)
            wait_for("nothing is left", lab.left, until=nothing, within=5)
    output = "".join(run.output)
    assert "INTERNALERROR" not in output, output
    assert f"NOT PROVED: the results can't be kept in {small_disk / 'reports'}" in output


def test_the_next_run_needs_no_help(lab: Lab, tmp_path: Path) -> None:
    """It continues with the parts that were complete, and is green."""
    with lab.run(tmp_path) as run:
        run.process.wait(END_SECONDS)
    assert run.process.returncode == pytest.ExitCode.OK, "".join(run.output)
    assert nothing(lab.left())
