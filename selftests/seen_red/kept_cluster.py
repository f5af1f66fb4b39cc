"""The cluster on which faults are made, judged as often as needed."""

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

from kubeproof.access import machine
from kubeproof.access.api import Api
from kubeproof.experiments.settling import settle
from kubeproof.process import paths
from kubeproof.process.progress import Progress
from kubeproof.results import model, store
from kubeproof.spec import load
from selftests import beside

EXISTING = "seen"
SPOILED = "KUBEPROOF_SPOILED"
LOOKS = "not experiment or experiment(claims='nothing')"  # the latter's faults are of the cluster
AS_IT_IS, NOT_MADE, KEPT_IN = "as it is", "not made", "kept in"


@dataclass
class KeptCluster:
    """A spec's cluster, the folder of its lab, where its reports go, and what is red throughout.

    The latter are the cluster's own faults, which the bundled spec accepts and the one here does not.
    """

    spec: Path
    state: Path
    reports: Path
    throughout: frozenset[str]

    @property
    def control_plane(self) -> str:
        """That machine's name."""
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
        """All that only looks, or what `only` names (a -k expression); by a spec of `existing` if one is given.

        That may be changed where `disruption` says so. It is `experiments` that are judged, and what is looked at once
        more after them, or experiments that are `spoiled`, which is a way of spoiling.py's to go wrong.
        """
        judging = [f"--cluster={spec or self.spec}", f"--reports={self.reports}", "--keep-cluster", "-n", workers]
        allowed = EXISTING if spec and disruption else ""
        marks = "experiment" if spoiled else "experiment or after_experiments" if experiments else LOOKS
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
        """A machine of it."""
        return machine.enter(name, self.state / "ssh_config")

    def existing(self, **stated: Any) -> Path:
        """A spec of it as of a cluster that exists, which states what is given here and lists no node."""
        known = {"name": EXISTING, "provider": "existing", "kubeconfig": str(self.state / "kubeconfig"), **stated}
        file = self.reports / "existing.yaml"
        file.write_text(yaml.safe_dump(known))
        return file

    @contextmanager
    def broken(self, faults: list[Mapping[str, Any]]) -> Iterator[None]:
        """The faults, and after them their mending, the last first; then the cluster comes to rest."""
        with ExitStack() as mending:
            mending.callback(self.settle)
            for fault in faults:
                host = self.enter(fault["machine"])
                mending.callback(host.check_output, fault["mend"])
                host.check_output(fault["make"])
            yield

    def settle(self) -> None:
        """Wait for it to come to rest."""
        settle(Api(self.state / "kubeconfig"), load(self.spec), Progress(quiet=True))


def red(judged: list[model.Result]) -> set[str]:
    """The checks that are not proved, without their cases."""
    return {result.check.partition("[")[0] for result in judged if result.outcome != "passed"}


def red_facts(judged: list[model.Result]) -> set[str]:
    """The same of experiments: several ask the same, so each fact has its experiment's name before it."""
    return {f"{result.component}: {result.check.partition('[')[0]}" for result in judged if result.outcome != "passed"}
