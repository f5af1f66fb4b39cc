"""A run can be stopped at any moment, in any way: nothing is left of it, and the next one needs no hand.

`make stops` stops 30 runs, each at a random moment of building, bringing up, judging or destroying. They use a lab of
their own name and ports, so that one that is kept stays.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import pytest

from kubeproof import paths
from kubeproof.waiting import wait_for
from selftests.stops import host

LAB = "kubeproof-stops"
SEED = 20240229
MARK = "KUBEPROOF_STOPPED"
# What stays to be read, or to be locked.
TOLD = {"lock", "vagrant.log", "containerd.log", "dockerd.log", "resolver.log", "relay.log", "faults"}
START_SECONDS = 300
END_SECONDS = 90
# What a run prints when a phase begins, and how long that is to be stopped in, in seconds.
PHASES = {
    "building": ("building", 120),
    "bringing up": ("starting the lab's Docker daemon", 90),
    "judging": ("waiting for every node", 35),
    "destroying": ("destroying the lab", 12),
}
TO_BUILD = ("etcd", "tools-root", "images")  # a part of each kind: compiled, of Debian's packages, made by the daemon
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
def lab(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a lab of another name, with an own cache in which some parts are yet to be built."""
    cache = tmp_path_factory.mktemp("cache")
    (cache / "kubeproof").mkdir()
    subprocess.run(["cp", "--archive", "--link", paths.cache() / "components", cache / "kubeproof"], check=True)
    go = subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip()
    return {**os.environ, "KUBEPROOF_LAB": LAB, "XDG_CACHE_HOME": str(cache), "GOCACHE": go, MARK: LAB}


@pytest.fixture
def start(lab: dict[str, str], spec: Path, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start a run that judges little and makes one experiment, as a group of processes of its own."""
    started = []

    def begin() -> subprocess.Popen[str]:
        what = "hostname_is_the_nodes or TestKubeProxyPodDeleted"
        arguments = ["-n", "2", f"--cluster={spec}", f"--reports={tmp_path / 'reports'}", "-k", what]
        run = subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=paths.CHECKOUT,
            env=lab,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(run)
        return run

    yield begin
    for run in started:
        run.kill()
        run.wait()


def follow(run: subprocess.Popen[str]) -> list[str]:
    """The lines that the run has said by now, and will have said."""
    said: list[str] = []
    threading.Thread(target=lambda: said.extend(run.stdout or ()), daemon=True).start()
    return said


def components(lab: dict[str, str]) -> Path:
    """The folder of that cache's parts."""
    return Path(lab["XDG_CACHE_HOME"], "kubeproof", "components")


def left(lab: dict[str, str]) -> dict[str, list[str]]:
    """What a lab of that name, or a build in its cache, has left; files that only tell what was are no left-overs."""
    state = Path(platformdirs.user_state_dir(LAB))
    return {
        **{key: [line for line in lines if LAB in line] for key, lines in host.listing(LAB).items()},
        "processes": host.processes(MARK),
        "files": [path.name for path in state.glob("*") if path.name not in TOLD],
        "half-made parts": [path.name for path in components(lab).glob(".*") if path.is_dir()],
    }


def nothing(found: dict[str, list[str]]) -> bool:
    """Whether nothing was found."""
    return not any(found.values())


@pytest.mark.parametrize("stop", stops(), ids=lambda stop: stop.title)
def test_nothing_is_left_of_a_run_that_is_stopped(
    stop: Stop, lab: dict[str, str], start: Callable[[], subprocess.Popen[str]]
) -> None:
    """At once; after kill -9, which leaves it no time, once the next command has mended it."""
    if stop.phase == "building":
        for part in [part for name in TO_BUILD for part in components(lab).glob(f"{name}-*")]:
            shutil.rmtree(part, ignore_errors=True)
    run = start()
    said = follow(run)
    begins, _ = PHASES[stop.phase]
    wait_for(stop.phase, lambda: any(begins in line for line in said) or run.poll() is not None, within=START_SECONDS)
    time.sleep(stop.after)
    WAYS[stop.way](run)
    run.wait(END_SECONDS)
    if stop.way == "kill -9":
        subprocess.run([sys.executable, "-m", "kubeproof", "destroy"], cwd=paths.CHECKOUT, env=lab, check=True)
    wait_for("nothing is left", lambda: left(lab), until=nothing, within=5)


def test_the_next_run_needs_no_hand(lab: dict[str, str], start: Callable[[], subprocess.Popen[str]]) -> None:
    """It goes on from what was made whole, is green, and leaves the host as it found it."""
    before = host.listing(LAB)
    run = start()
    said, _ = run.communicate()
    assert run.returncode == pytest.ExitCode.OK, said
    assert host.listing(LAB) == before
    assert nothing(left(lab))
