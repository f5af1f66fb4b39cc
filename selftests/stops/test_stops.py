"""A run can be stopped at any moment, in any way: it leaves nothing, and the next run needs no manual help.

`make stops` stops 30 runs, each at a random moment of building, bringing up, judging or destroying. They use a lab with
another name and other ports, so that a kept lab stays.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from kubeproof.process.waiting import wait_for
from selftests.stops import host
from selftests.stops.trial import MARK, PHASES, Lab, lab_in, nothing

SEED = 20240229
END_SECONDS = 180
TRIALS = {"building": 8, "bringing up": 10, "judging": 6, "destroying": 6}


def interrupt_twice(run: subprocess.Popen[str]) -> None:
    """Interrupt as an impatient person does."""
    os.killpg(run.pid, signal.SIGINT)
    time.sleep(1)
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGINT)


WAYS: dict[str, Callable[[subprocess.Popen[str]], None]] = {
    "Ctrl-C": lambda run: os.killpg(run.pid, signal.SIGINT),
    "Ctrl-C twice": interrupt_twice,
    "SIGTERM": lambda run: run.terminate(),
    "a closed terminal": lambda run: os.killpg(run.pid, signal.SIGHUP),
    "kill -9": lambda run: run.kill(),
}


@dataclass(frozen=True)
class Stop:
    """When and how a run is stopped; `after` is in seconds from the phase's beginning."""

    phase: str
    after: float
    way: str

    @property
    def title(self) -> str:
        """The test's id."""
        return f"{self.way}, {self.after:.0f} s into {self.phase}"


def stops() -> list[Stop]:
    """Random moments, the same in each session; every phase has every way of stopping."""
    chance = random.Random(SEED)  # noqa: S311 # not a secret
    ways = list(WAYS)
    return [
        Stop(phase, chance.uniform(0, PHASES[phase][1]), ways[number % len(ways)])
        for phase, trials in TRIALS.items()
        for number in range(trials)
    ]


@pytest.fixture(scope="module")
def lab(spec: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with another name."""
    with lab_in(tmp_path_factory.mktemp("cache"), spec) as other_lab:
        yield other_lab


@pytest.mark.parametrize("stop", stops(), ids=lambda stop: stop.title)
def test_nothing_is_left_of_a_run_that_is_stopped(stop: Stop, lab: Lab, tmp_path: Path) -> None:
    """Nothing is left at once; after kill -9, which leaves the run no time, once the next command has cleaned up."""
    if stop.phase == "building":
        lab.forget_parts()
    with lab.run(tmp_path) as run:
        run.wait_for_phase(stop.phase)
        time.sleep(stop.after)
        WAYS[stop.way](run.process)
        run.process.wait(END_SECONDS)
    if stop.way == "kill -9":
        lab.destroy()
    wait_for("nothing is left", lab.left, until=nothing, within=5)


def test_the_next_run_needs_no_help(lab: Lab, tmp_path: Path) -> None:
    """It continues with the parts that were complete, is green, and leaves the host as it found it.

    On the host, it listens on loopback alone.
    """
    others = host.listening(MARK)
    addresses: set[str] = set()
    with lab.run(tmp_path) as run:
        while run.process.poll() is None:
            addresses |= {address for address, _ in host.listening(MARK) - others}
            time.sleep(0.25)
    assert run.process.returncode == pytest.ExitCode.OK, "".join(run.output)
    assert addresses == {"127.0.0.1"}
    assert nothing(lab.left())
