"""Upstream's conformance tests on the same mutants: what each of the two suites notices.

`python -m bench.conformance [--cluster=SPEC] [--only=TEXT] [--reports=DIR]`: the sample of the mutants, or those whose
file or name has the text.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from rich.console import Console

from kubeproof.lab import go, uplink
from kubeproof.lab.cache import Component, provide
from kubeproof.lab.registries import taken_from
from kubeproof.mutation import command
from kubeproof.mutation.trial import Trial
from kubeproof.process import paths
from kubeproof.process.commands import CommandFailed, alone, run
from kubeproof.process.progress import Progress
from kubeproof.spec import load

MODULE = Path(__file__).with_name("e2e")  # of the default spec's Kubernetes
TESTS = "k8s.io/kubernetes/test/e2e"
# The one that Sonobuoy's quick mode runs, and of the others that which asks for traffic between the pods of all nodes:
# it takes no minutes. Those of names want images that are published as images alone.
FOCUS = "|".join(
    [
        "Pods should be submitted and removed .*Conformance",
        "Networking Granular Checks: Pods should function for intra-pod communication: http .*Conformance",
    ]
)
SECONDS = 600


def program() -> Component:
    """The test binary of upstream's, built of its module."""

    def build(folder: Path) -> None:
        with taken_from(go.PROXY, f"the modules of {TESTS}"):
            run(
                *alone(go.toolchain(), "test", "-c", "-mod=readonly", "-trimpath", "-ldflags=-s -w"),
                *(f"-o={folder}/e2e.test", TESTS),
                cwd=MODULE,
                env={"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"},
            )

    return Component("e2e", (MODULE,), build)


def failures(tests: Path, trial: Trial) -> list[str]:
    """The names of the specs that fail on the cluster of that machine; "no verdict" if there is none in time."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "told.json")
        asked = [str(tests), f"--kubeconfig={trial.kubeconfig}", "--provider=skeleton", f"--ginkgo.focus={FOCUS}"]
        asked += ["--ginkgo.no-color", "--disable-log-dump", f"--ginkgo.json-report={told}"]
        try:
            run(*trial.command(*asked), timeout=SECONDS)
        except CommandFailed as error:
            (trial.folder / "conformance.log").write_text(str(error))
        suites = json.loads(told.read_text()) if told.exists() else []
    specs = [spec for suite in suites for spec in suite["SpecReports"]]
    failed = [spec["LeafNodeText"] for spec in specs if spec["State"] not in ("passed", "skipped")]
    return failed if specs else ["no verdict"]


def main() -> None:
    """Print the tally; the table and its JSON are in the folder of the reports."""
    parser = argparse.ArgumentParser(prog="bench.conformance")
    parser.add_argument("--cluster", type=Path, default=paths.DEFAULT_SPEC)
    parser.add_argument("--only", default="")
    parser.add_argument("--reports", type=Path, default=Path("reports") / "conformance")
    known = parser.parse_args()
    with uplink.of(load(known.cluster).lab):
        tests = provide(program(), Progress()) / "e2e.test"
    tally = command.run(
        known.cluster,
        paths.MUTANTS,
        [paths.CHECKS],
        only=known.only,
        sample=not known.only,
        side_by_side=1,  # each suite sees the whole cluster: nothing else may come or go
        keep_cluster=False,
        reports=known.reports.resolve(),
        peer=lambda trial: failures(tests, trial),
    )
    Console().print(tally.summary)


if __name__ == "__main__":
    main()
