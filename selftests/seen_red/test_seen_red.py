"""Every check can fail: its fault is made on a living cluster, and it is red; mended, the cluster is proved again.

One cluster is brought up, if none is kept, and stays: `make red` runs this, `make test` does not.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeproof import bring_up, paths, results
from kubeproof.api import Api
from kubeproof.node import enter
from kubeproof.progress import Progress
from kubeproof.settling import settle
from kubeproof.spec import load

BATCHES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("faults.yaml").read_text())


def judge(reports: Path, only: str = "") -> dict[str, list[results.Result]]:
    """All that only looks, or a part of it, on the kept cluster; the results by check, without their cases."""
    arguments = ["-n", "auto", "--keep-cluster", f"--reports={reports}", "-m", "not experiment", "-k", only]
    command = [sys.executable, "-m", "pytest", *arguments]
    done = subprocess.run(command, cwd=paths.CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), done.stdout + done.stderr
    _, judged = results.read(reports / "latest")
    checks: dict[str, list[results.Result]] = {}
    for result in judged:
        checks.setdefault(result.check.partition("[")[0], []).append(result)
    return checks


@contextmanager
def made(batch: dict[str, Any]) -> Iterator[None]:
    """The faults of a batch, and after them their mending, the last first."""
    cluster = bring_up.kept()
    assert cluster is not None
    with ExitStack() as mending:
        for fault in batch["faults"]:
            host = enter(fault["machine"], cluster.ssh_config)
            mending.callback(host.run, fault["mend"])
            host.check_output(fault["make"])
        yield


@pytest.fixture(scope="module", autouse=True)
def healthy(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A cluster on which every check is green."""
    assert not red(judge(tmp_path_factory.mktemp("before")))


def red(checks: dict[str, list[results.Result]]) -> set[str]:
    """The checks that are not proved."""
    return {name for name, judged in checks.items() if any(result.outcome != "passed" for result in judged)}


@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: batch["name"])
def test_checks_see_their_faults(batch: dict[str, Any], tmp_path: Path) -> None:
    """Each check of the batch is red while its fault is in, and all are green once it is mended."""
    with made(batch):
        seen = judge(tmp_path / "broken", batch.get("judged", ""))
    settle(Api(paths.state() / "kubeconfig"), load(paths.DEFAULT_SPEC), Progress(quiet=True))
    assert set(batch["red"]) - red(seen) == set()
    assert red(judge(tmp_path / "mended")) == set()
