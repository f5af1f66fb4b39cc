"""A run can be stopped at any moment, in any way: nothing is left of it, and the next one needs no hand.

`make stops` stops 30 runs, each at a random moment of building, bringing up, judging or destroying. They use a lab of
their own name and ports, so that one that is kept stays.
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
    """As a person who does not want to wait."""
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
    """When and how a run is stopped; `after` in seconds from the phase's beginning."""

    phase: str
    after: float
    way: str

    @property
    def title(self) -> str:
        """For the test's name."""
        return f"{self.way}, {self.after:.0f} s into {self.phase}"


def stops() -> list[Stop]:
    """Random moments, the same each time; every way comes in every phase."""
    chance = random.Random(SEED)  # noqa: S311 # no secret
    ways = list(WAYS)
    return [
        Stop(phase, chance.uniform(0, PHASES[phase][1]), ways[number % len(ways)])
        for phase, trials in TRIALS.items()
        for number in range(trials)
    ]


@pytest.fixture(scope="module")
def lab(spec: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of another name."""
    with lab_in(tmp_path_factory.mktemp("cache"), spec) as made:
        yield made


@pytest.mark.parametrize("stop", stops(), ids=lambda stop: stop.title)
def test_nothing_is_left_of_a_run_that_is_stopped(stop: Stop, lab: Lab, tmp_path: Path) -> None:
    """At once; after kill -9, which leaves it no time, once the next command has mended it."""
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


def test_the_next_run_needs_no_hand(lab: Lab, tmp_path: Path) -> None:
    """It goes on from what was made whole, is green, and leaves the host as it found it.

    While it runs, it listens on the host's loopback, and nowhere else there.
    """
    others = host.listening(MARK)
    heard: set[str] = set()
    with lab.run(tmp_path) as run:
        while run.process.poll() is None:
            heard |= {address for address, _ in host.listening(MARK) - others}
            time.sleep(0.25)
    assert run.process.returncode == pytest.ExitCode.OK, "".join(run.said)
    assert heard == {"127.0.0.1"}
    assert nothing(lab.left())
