"""A lab of another name, and runs in it that are disturbed."""

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
# Files that stay on purpose: logs, the lock, and the journal.
KEPT = {"lock", "vagrant.log", "containerd.log", "dockerd.log", "resolver.log", "relay.log", "faults"}
START_SECONDS = 900
# For each phase: the text that a run prints when it begins, and the seconds within which it is disturbed.
PHASES = {
    "building": ("building", 120),
    "bringing up": ("starting the lab's Docker daemon", 90),
    "judging": ("waiting for every node", 35),
    "destroying": ("destroying the lab", 12),
}
TO_BUILD = ("etcd", "tools-root", "images")  # one of each kind: compiled, from Debian's packages, made by the daemon


@dataclass
class Run:
    """A run of pytest in its own process group, and the lines of its output so far."""

    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list)

    def follow(self) -> None:
        """Collect the output in the background."""
        threading.Thread(target=lambda: self.output.extend(self.process.stdout or ()), daemon=True).start()

    def wait_for_phase(self, phase: str) -> None:
        """Return when a phase begins; fail if the run ends before that."""

        def has_begun() -> bool:
            return any(PHASES[phase][0] in line for line in self.output)

        wait_for(phase, lambda: has_begun() or self.process.poll() is not None, within=START_SECONDS)
        assert has_begun(), "".join(self.output)


@dataclass(frozen=True)
class Lab:
    """The lab, with its own cache; `untouched` is the listing of the host before the first run."""

    environment: dict[str, str]
    spec: Path
    untouched: dict[str, list[str]]

    @property
    def components(self) -> Path:
        """The folder of the cached parts."""
        return Path(self.environment["XDG_CACHE_HOME"], "kubeproof", "components")

    @property
    def _state(self) -> Path:
        return Path(platformdirs.user_state_dir(LAB))

    @contextmanager
    def run(self, reports: Path, what: str = "hostname_is_the_nodes or TestKubeProxyPodDeleted") -> Iterator[Run]:
        """Start a run of few checks and one experiment; kill it if it still runs after the block."""
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
        """Destroy the lab as `make destroy` does."""
        command = [sys.executable, "-m", "kubeproof", "destroy"]
        subprocess.run(command, cwd=paths.CHECKOUT, env=self.environment, check=True)

    def forget_parts(self) -> None:
        """Delete parts, so that the next run has something to build."""
        for part in [part for name in TO_BUILD for part in self.components.glob(f"{name}-*")]:
            subprocess.run(["rm", "-rf", part], check=True)

    def left(self) -> dict[str, list[str]]:
        """All that the runs left or changed on the host, except the files that stay on purpose."""
        return {
            **{key: sorted({*lines} ^ {*self.untouched[key]}) for key, lines in _host_listing().items()},
            "processes": host.processes(MARK),
            "files": [path.name for path in self._state.glob("*") if path.name not in KEPT],
            "half-made parts": [path.name for path in self.components.glob(".*") if path.is_dir()],
        }


@contextmanager
def lab_in(cache: Path, spec: Path) -> Iterator[Lab]:
    """A lab with that cache, filled with this machine's finished parts; both are removed at the end."""
    components = cache / "kubeproof" / "components"
    components.mkdir(parents=True)
    copy = ["cp", "--archive", *(["--link"] if cache.stat().st_dev == paths.cache().stat().st_dev else [])]
    finished = (paths.cache() / "components").glob("[!.]*")  # without the drafts of another run
    subprocess.run([*copy, *finished, components], check=True)
    go_cache = subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip()
    environment = {
        **os.environ,
        "KUBEPROOF_LAB": LAB,
        "XDG_CACHE_HOME": str(cache),
        "GOCACHE": go_cache,
        MARK: LAB,
    }
    lab = Lab(environment, spec, _host_listing())
    try:
        yield lab
    finally:
        lab.destroy()
        subprocess.run(["rm", "-rf", cache / "kubeproof"], check=True)


def _host_listing() -> dict[str, list[str]]:
    listening = [f"{address}:{port}" for address, port in host.listening(MARK)]
    folders = [folder.name for folder in Path(tempfile.gettempdir()).glob(f"{temporary.PREFIX}*")]
    return {**host.listing(LAB), "listening": listening, "temporary folders": folders}


def nothing(found: dict[str, list[str]]) -> bool:
    """Whether nothing was found."""
    return not any(found.values())
