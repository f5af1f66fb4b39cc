"""`python -m kubeproof mutants`: the gate from the command line."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import psutil

from kubeproof import paths
from kubeproof.bring_up import BringUpFailed
from kubeproof.commands import CommandFailed
from kubeproof.lab import LabFailed
from kubeproof.mutation import gate, model, table
from kubeproof.report.document import Document
from kubeproof.spec import SpecError
from kubeproof.spec import load as load_spec

MUTANTS = paths.CHECKOUT / "provision" / "mutants.yaml"
UNUSABLE = 2
SIDE_BY_SIDE = 2  # of a core's worth: a machine that comes up mostly waits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("--cluster", type=Path, default=paths.DEFAULT_SPEC, metavar="FILE", help="the spec")
    parser.add_argument("--mutants", type=Path, default=MUTANTS, metavar="FILE", help="the mutants of its scripts")
    parser.add_argument("--only", default="", metavar="TEXT", help="those whose name or file has TEXT")
    parser.add_argument("--sample", action="store_true", help="those of the sample")
    parser.add_argument("--side-by-side", type=int, default=0, metavar="N", help="how many at a time")
    parser.add_argument("--keep-cluster", action="store_true", help="leave the cluster beside which they were tried up")
    parser.add_argument(
        "--reports", type=Path, default=Path("reports/mutants"), metavar="DIR", help="where the table goes"
    )
    parser.add_argument("tests", nargs="*", default=[str(paths.CHECKOUT / "tests")], help="the checks: pytest's paths")
    parser.set_defaults(do=do)


def do(arguments: argparse.Namespace) -> None:
    """Run the gate; exit with 1 if a mutant survived, with 2 if it could not be run."""
    reports = arguments.reports.resolve()

    def keep(name: str, seen: Document) -> None:
        folder = reports / "seen"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.json").write_text(seen.model_dump_json(indent=1))

    try:
        mutants = [
            one
            for one in model.load(arguments.mutants)
            if arguments.only in f"{one.file}: {one.name}" and (one.sample or not arguments.sample)
        ]
        tally = gate.run(
            load_spec(arguments.cluster),
            arguments.cluster.resolve(),
            mutants,
            tests=[str(Path(path).resolve()) for path in arguments.tests],
            side_by_side=arguments.side_by_side or SIDE_BY_SIDE * (psutil.cpu_count() or 1),
            keep_cluster=arguments.keep_cluster,
            keep=keep,
        )
    except (SpecError, model.MutantsError, BringUpFailed, LabFailed, CommandFailed, OSError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(UNUSABLE)
    table.write(tally, reports)
    sys.stdout.write(f"{tally.summary}\ntable: {reports / 'mutants.md'}\n")
    sys.exit(1 if tally.survivors else 0)
