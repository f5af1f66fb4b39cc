"""A run or a worker is killed at any stage of an experiment: the next one first mends the fault, and says so."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import psutil
import pytest
from testinfra.host import Host

from kubeproof.access import ssh
from kubeproof.process import paths
from kubeproof.process.waiting import wait_for

LAB = "kubeproof-stops"
EXPERIMENT = "TestKubeProxyHeld"
WORKERS = ("w1-k8s", "w2-k8s", "w3-k8s")
START_SECONDS = 400
HELD = "grep --quiet '^State:.T' /proc/$(pidof kube-proxy)/status"


@dataclass
class Kept:
    """A kept cluster in a lab of another name."""

    spec: Path
    environment: dict[str, str]

    @property
    def state(self) -> Path:
        """The lab's state folder."""
        return Path(platformdirs.user_state_dir(LAB))

    def run(self, reports: Path, what: str) -> subprocess.Popen[str]:
        """Start a run that keeps the cluster and judges what the -k expression `what` selects."""
        arguments = ["-n", "2", f"--cluster={self.spec}", f"--reports={reports}", "--keep-cluster", "-k", what]
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=paths.CHECKOUT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def left_in(self) -> list[str]:
        """The file names of the journal."""
        return [entry.name for entry in (self.state / "faults").glob("*.json")]

    def is_held(self) -> bool:
        """Whether the fault is in on any worker."""
        return any(self.enter(name).run(HELD).rc == 0 for name in WORKERS)

    def is_off(self) -> bool:
        """Whether a worker can't be entered."""
        try:
            [self.enter(name).check_output("true") for name in WORKERS]
        except ssh.Unreachable:
            return True
        return False

    def enter(self, name: str) -> Host:
        """The machine of that name."""
        return ssh.enter(name, self.state / "ssh_config")


@pytest.fixture(scope="module")
def kept(spec: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """The cluster is brought up once, and destroyed at the end."""
    cluster = Kept(spec, {**os.environ, "KUBEPROOF_LAB": LAB})
    output, _ = cluster.run(tmp_path_factory.mktemp("first"), "hostname_is_the_nodes").communicate()
    assert "PROVED" in output, output
    yield cluster
    destroy = [sys.executable, "-m", "kubeproof", "destroy"]
    subprocess.run(destroy, cwd=paths.CHECKOUT, env=cluster.environment, check=True)


def judged(reports: Path) -> bool:
    """Whether the experiment has judged a check."""
    results = reports / "latest" / "results.jsonl"
    return results.exists() and "old_service_answers" in results.read_text()


STAGES: dict[str, Callable[[Kept, Path], bool]] = {
    "in the journal": lambda kept, _: kept.left_in() != [],
    "in": lambda kept, _: kept.is_held(),
    "judged": lambda _, reports: judged(reports),
    "mended but not proved so": lambda kept, reports: judged(reports) and bool(kept.left_in()) and not kept.is_held(),
}


@pytest.mark.parametrize("stage", STAGES)
def test_the_next_run_mends_first_and_says_so(kept: Kept, stage: str, tmp_path: Path) -> None:
    """pytest itself is killed, and its workers end when they notice."""
    run = kept.run(tmp_path, EXPERIMENT)
    try:
        wait_for(stage, lambda: STAGES[stage](kept, tmp_path), within=START_SECONDS)
    finally:
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
    assert kept.left_in() != []
    output, _ = kept.run(tmp_path / "next", "hostname_is_the_nodes").communicate()
    assert "mended what a run left in: kube-proxy held down" in output
    assert "deleted the namespace kubeproof-" in output
    assert "PROVED: all 4" in output
    assert kept.left_in() == []
    assert not kept.is_held()


def test_a_machine_that_is_off_is_started_first(kept: Kept, tmp_path: Path) -> None:
    """The run is killed during a reboot, and so is Vagrant, which would have started the machine."""
    run = kept.run(tmp_path, "TestWorkerRebooted")
    try:
        wait_for("a machine is off", kept.is_off, within=START_SECONDS)
    finally:
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
    output, _ = kept.run(tmp_path / "next", "hostname_is_the_nodes").communicate()
    assert "mended what a run left in: rebooted" in output
    assert "PROVED: all 4" in output
    assert kept.left_in() == []


def test_a_worker_that_is_killed_is_mended_after(kept: Kept, tmp_path: Path) -> None:
    """The worker that replaces it mends the fault before it makes the fault again for the remaining checks."""
    run = kept.run(tmp_path, EXPERIMENT)
    wait_for("the fault is in", kept.is_held, within=START_SECONDS)
    for worker in psutil.Process(run.pid).children():
        if "exec(eval" in " ".join(worker.cmdline()):  # the command line of xdist's workers
            worker.kill()
    output, _ = run.communicate()
    assert "crashed while running" in output
    assert kept.left_in() == []
    assert not kept.is_held()
