"""The kept cluster on which faults are made, and which is judged again and again."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from testinfra.host import Host

from kubeproof.access import ssh
from kubeproof.access.api import Api
from kubeproof.experiments.settling import settle
from kubeproof.process import paths
from kubeproof.process.progress import Progress
from kubeproof.results import model, store
from kubeproof.spec import load
from selftests import beside

EXISTING = "seen"
SPOILED = "KUBEPROOF_SPOILED"
READS = "not experiment or experiment(claims='nothing')"  # the latter fail only by faults of the cluster
AS_IT_IS, NOT_MADE, KEPT_IN = "as it is", "not made", "kept in"


@dataclass
class KeptCluster:
    """A cluster by its spec, with its lab's folder, the folder of its reports, and the checks that are red throughout.

    Those are the risks that the bundled spec accepts and this spec does not.
    """

    spec: Path
    state: Path
    reports: Path
    throughout: frozenset[str]

    @property
    def control_plane(self) -> str:
        """The name of the control plane's node."""
        return load(self.spec).control_plane.name

    def judge(
        self,
        only: str = "",
        *,
        workers: str = "auto",
        spec: Path | None = None,
        disruption: bool = True,
        experiments: bool = False,
        spoiled: str = "",
    ) -> list[model.Result]:
        """Judge the read-only checks, or those that the -k expression `only` selects, and return the results.

        `spec` is one of `existing`; `disruption` allows the run to change that cluster. `experiments` judges
        experiments and the checks after them instead; `spoiled` judges experiments spoiled in that way of spoiling.py.
        """
        judging = [f"--cluster={spec or self.spec}", f"--reports={self.reports}", "--keep-cluster", "-n", workers]
        allowed = EXISTING if spec and disruption else ""
        marks = "experiment" if spoiled else "experiment or after_experiments" if experiments else READS
        marked = ["-m", marks, f"--allow-disruption={allowed}"]
        environment = beside.environment(self.state.name)
        if spoiled:
            environment |= {SPOILED: spoiled, "PYTEST_PLUGINS": "selftests.seen_red.spoiling"}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "tests", *judging, "-k", only, *marked],
            cwd=paths.CHECKOUT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), done.stdout + done.stderr
        return store.read(self.reports / "latest")[1]

    def enter(self, name: str) -> Host:
        """The machine of that name."""
        return ssh.enter(name, self.state / "ssh_config")

    def existing(self, **stated: Any) -> Path:
        """Write and return a spec of the cluster as an existing one: without nodes, except as `stated`."""
        document = {"name": EXISTING, "provider": "existing", "kubeconfig": str(self.state / "kubeconfig"), **stated}
        file = self.reports / "existing.yaml"
        file.write_text(yaml.safe_dump(document))
        return file

    @contextmanager
    def broken(self, faults: list[Mapping[str, Any]]) -> Iterator[None]:
        """Make the faults; after the block, mend them, the last first, and wait until the cluster is at rest."""
        with ExitStack() as mending:
            mending.callback(self.settle)
            for fault in faults:
                host = self.enter(fault["machine"])
                mending.callback(host.check_output, fault["mend"])
                host.check_output(fault["make"])
            yield

    def settle(self) -> None:
        """Wait until the cluster is at rest."""
        settle(Api(self.state / "kubeconfig"), load(self.spec), Progress(quiet=True))


def red(judged: list[model.Result]) -> set[str]:
    """The names of the checks that are not proved, without their cases."""
    return {result.check.partition("[")[0] for result in judged if result.outcome != "passed"}


def red_of_experiments(judged: list[model.Result]) -> set[str]:
    """The same for experiments, each check after its experiment's name, since several experiments share names."""
    return {f"{result.component}: {result.check.partition('[')[0]}" for result in judged if result.outcome != "passed"}
