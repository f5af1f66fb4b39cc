"""A lab of another name, and the runs in it that something befalls."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from kubeproof.process import paths, temporary
from kubeproof.process.waiting import wait_for
from selftests.stops import host

LAB = "kubeproof-stops"
MARK = "KUBEPROOF_STOPPED"
# What stays to be read, or to be locked.
TOLD = {"lock", "vagrant.log", "containerd.log", "dockerd.log", "resolver.log", "relay.log", "faults"}
START_SECONDS = 900
# What a run prints when a phase begins, and how long that is to be disturbed in, in seconds.
PHASES = {
    "building": ("building", 120),
    "bringing up": ("starting the lab's Docker daemon", 90),
    "judging": ("waiting for every node", 35),
    "destroying": ("destroying the lab", 12),
}
TO_BUILD = ("etcd", "tools-root", "images")  # a part of each kind: compiled, of Debian's packages, made by the daemon


@dataclass
class Run:
    """A run of pytest, in a group of processes of its own, and the lines that it has said by now."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def follow(self) -> None:
        """Take in what it says, as it says it."""
        threading.Thread(target=lambda: self.said.extend(self.process.stdout or ()), daemon=True).start()

    def wait_for_phase(self, phase: str) -> None:
        """Return when a phase begins; the run must not end before it."""

        def has_begun() -> bool:
            return any(PHASES[phase][0] in line for line in self.said)

        wait_for(phase, lambda: has_begun() or self.process.poll() is not None, within=START_SECONDS)
        assert has_begun(), "".join(self.said)


@dataclass(frozen=True)
class Lab:
    """The lab of that name, with a cache of its own; `untouched` is the host before its first run."""

    environment: dict[str, str]
    spec: Path
    untouched: dict[str, list[str]]

    @property
    def components(self) -> Path:
        """The folder of its cache's parts."""
        return Path(self.environment["XDG_CACHE_HOME"], "kubeproof", "components")

    @property
    def _state(self) -> Path:
        return Path(platformdirs.user_state_dir(LAB))

    @contextmanager
    def run(self, reports: Path, what: str = "hostname_is_the_nodes or TestKubeProxyPodDeleted") -> Iterator[Run]:
        """A run that judges little and makes one experiment; it is killed if it goes on after the block."""
        arguments = ["-n", "2", f"--cluster={self.spec}", f"--reports={reports}", "-k", what]
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=paths.CHECKOUT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        run = Run(process)
        run.follow()
        try:
            yield run
        finally:
            process.kill()
            process.wait()

    def destroy(self) -> None:
        """As `make destroy` does it."""
        command = [sys.executable, "-m", "kubeproof", "destroy"]
        subprocess.run(command, cwd=paths.CHECKOUT, env=self.environment, check=True)

    def forget_parts(self) -> None:
        """Let the next run have something to build."""
        for part in [part for name in TO_BUILD for part in self.components.glob(f"{name}-*")]:
            subprocess.run(["rm", "-rf", part], check=True)

    def left(self) -> dict[str, list[str]]:
        """What is left of its runs, or is otherwise on the host; files that only tell what was are no left-overs."""
        return {
            **{key: sorted({*lines} ^ {*self.untouched[key]}) for key, lines in _of_the_host().items()},
            "processes": host.processes(MARK),
            "files": [path.name for path in self._state.glob("*") if path.name not in TOLD],
            "half-made parts": [path.name for path in self.components.glob(".*") if path.is_dir()],
        }


@contextmanager
def lab_in(cache: Path, spec: Path) -> Iterator[Lab]:
    """A lab with that cache, in which all the parts of the box are that this machine has; it is removed in the end."""
    components = cache / "kubeproof" / "components"
    components.mkdir(parents=True)
    copying = ["cp", "--archive", *(["--link"] if cache.stat().st_dev == paths.cache().stat().st_dev else [])]
    whole = (paths.cache() / "components").glob("[!.]*")  # others may be building
    subprocess.run([*copying, *whole, components], check=True)
    go = subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip()
    environment = {
        **os.environ,
        "KUBEPROOF_LAB": LAB,
        "XDG_CACHE_HOME": str(cache),
        "GOCACHE": go,
        MARK: LAB,
    }
    lab = Lab(environment, spec, _of_the_host())
    try:
        yield lab
    finally:
        lab.destroy()
        subprocess.run(["rm", "-rf", cache / "kubeproof"], check=True)


def _of_the_host() -> dict[str, list[str]]:
    listening = [f"{address}:{port}" for address, port in host.listening(MARK)]
    folders = [folder.name for folder in Path(tempfile.gettempdir()).glob(f"{temporary.PREFIX}*")]
    return {**host.listing(LAB), "listening": listening, "temporary folders": folders}


def nothing(found: dict[str, list[str]]) -> bool:
    """Whether nothing was found."""
    return not any(found.values())
