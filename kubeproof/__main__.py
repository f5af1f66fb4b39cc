"""kubeproof from the command line: this machine, its kept cluster, and the comparison of runs."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from kubeproof import bring_up, diff, doctor, paths
from kubeproof.bring_up import BringUpFailed
from kubeproof.commands import CommandFailed
from kubeproof.progress import Progress
from kubeproof.results import Unreadable
from kubeproof.spec import SpecError, load


def main() -> None:
    """Do what the command line asks, or say why not and exit with 1; with 2 where what it names can't be used."""
    parser = argparse.ArgumentParser(prog="python -m kubeproof", description=__doc__)
    commands = parser.add_subparsers(required=True)
    look = commands.add_parser("doctor", help="what the lab needs of this machine, what is there, and what to do")
    look.add_argument(
        "--cluster", type=Path, default=paths.DEFAULT_SPEC, metavar="FILE", help="the spec of the cluster"
    )
    look.set_defaults(do=_doctor)
    commands.add_parser("destroy", help="end and remove the kept cluster").set_defaults(do=_destroy)
    shell = commands.add_parser("shell", help="a root shell on a machine of the kept cluster")
    shell.add_argument("node")
    shell.set_defaults(do=_shell)
    compare = commands.add_parser("diff", help="what became better or worse; status 1 if anything is worse")
    compare.add_argument("old", type=Path, help="the folder of a run, such as reports/2026-11-23T06-48-44Z")
    compare.add_argument("new", type=Path, help="the folder of a later one, such as reports/latest")
    compare.set_defaults(do=_diff)
    arguments = parser.parse_args()
    arguments.do(arguments)


def _doctor(arguments: argparse.Namespace) -> None:
    try:
        spec = load(arguments.cluster)
    except SpecError as error:
        sys.exit(f"the spec can't be used:\n{error}")
    findings = doctor.examine(spec)
    doctor.show(findings, Console())
    sys.exit(0 if all(finding.is_met for finding in findings) else 1)


def _destroy(_: argparse.Namespace) -> None:
    progress = Progress()
    try:
        with bring_up.holding_the_cluster(progress):
            bring_up.destroy(progress)
    except CommandFailed as error:
        sys.exit(f"the cluster is still there: {error}")
    except BringUpFailed as error:
        sys.exit(str(error))


def _shell(arguments: argparse.Namespace) -> None:
    cluster = bring_up.kept()
    if cluster is None:
        sys.exit("no cluster is up: `make up` brings one up and keeps it")
    os.execvp("ssh", ["ssh", "-t", "-F", str(cluster.ssh_config), arguments.node, "sudo -i"])


def _diff(arguments: argparse.Namespace) -> None:
    try:
        text, worse = diff.told(arguments.old, arguments.new)
    except Unreadable as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    sys.stdout.write(text)
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main()
