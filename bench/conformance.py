"""Runs upstream's conformance tests on the same mutants: which ones does each suite notice?

`python -m bench.conformance [--cluster=SPEC] [--only=TEXT] [--reports=DIR]`: the sample of the mutants, or those with
the text in their file or name.
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
from kubeproof.mutation import command as mutants
from kubeproof.mutation.trial import Trial
from kubeproof.process import paths
from kubeproof.process.commands import CommandFailed, alone, run
from kubeproof.process.progress import Progress
from kubeproof.spec import load

MODULE = Path(__file__).with_name("e2e")  # requires the Kubernetes of the default spec
TESTS = "k8s.io/kubernetes/test/e2e"
# The test of Sonobuoy's quick mode, and the one for traffic between the pods of all nodes, which is quick. The tests
# for names need images that are only published as images.
FOCUS = "|".join(
    [
        "Pods should be submitted and removed .*Conformance",
        "Networking Granular Checks: Pods should function for intra-pod communication: http .*Conformance",
    ]
)
SECONDS = 600


def program() -> Component:
    """Upstream's test binary, built from its module."""

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
    """The names of the tests that fail on the machine's cluster; "no verdict" if they take too long."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [str(tests), f"--kubeconfig={trial.kubeconfig}", "--provider=skeleton", f"--ginkgo.focus={FOCUS}"]
        command += ["--ginkgo.no-color", "--disable-log-dump", f"--ginkgo.json-report={report}"]
        try:
            run(*trial.command(*command), timeout=SECONDS)
        except CommandFailed as error:
            (trial.folder / "conformance.log").write_text(str(error))
        suites = json.loads(report.read_text()) if report.exists() else []
    specs = [spec for suite in suites for spec in suite["SpecReports"]]
    failed = [spec["LeafNodeText"] for spec in specs if spec["State"] not in ("passed", "skipped")]
    return failed if specs else ["no verdict"]


def main() -> None:
    """Print the tally; write the table and its JSON into the folder of the reports."""
    parser = argparse.ArgumentParser(prog="bench.conformance")
    parser.add_argument("--cluster", type=Path, default=paths.DEFAULT_SPEC)
    parser.add_argument("--only", default="")
    parser.add_argument("--reports", type=Path, default=Path("reports") / "conformance")
    arguments = parser.parse_args()
    with uplink.of(load(arguments.cluster).lab):
        tests = provide(program(), Progress()) / "e2e.test"
    tally = mutants.run(
        arguments.cluster,
        paths.MUTANTS,
        [paths.CHECKS],
        only=arguments.only,
        sample=not arguments.only,
        side_by_side=1,  # each suite looks at the whole cluster, so no other machine may come or go
        keep_cluster=False,
        reports=arguments.reports.resolve(),
        peer=lambda trial: failures(tests, trial),
    )
    Console().print(tally.summary)


if __name__ == "__main__":
    main()
