"""The machine and its kept cluster from the command line: `python -m kubeproof doctor`, `destroy` and `shell NODE`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from kubeproof import bring_up, doctor, paths
from kubeproof.progress import Progress
from kubeproof.spec import SpecError, load


def main() -> None:
    """Do what the command line asks, or say why not and exit with 1."""
    parser = argparse.ArgumentParser(prog="python -m kubeproof", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("destroy", help="end and remove the kept cluster")
    commands.add_parser("shell", help="a root shell on a machine of the kept cluster").add_argument("node")
    look = commands.add_parser("doctor", help="what the lab needs of this machine, what is there, and what to do")
    look.add_argument(
        "--cluster", type=Path, default=paths.DEFAULT_SPEC, metavar="FILE", help="the spec of the cluster"
    )
    arguments = parser.parse_args()
    if arguments.command == "doctor":
        sys.exit(_doctor(arguments.cluster))
    if arguments.command == "destroy":
        progress = Progress()
        with bring_up.holding_the_lab(progress):
            bring_up.destroy(progress)
        return
    cluster = bring_up.kept()
    if cluster is None:
        sys.exit("no cluster is up: `make up` brings one up and keeps it")
    os.execvp("ssh", ["ssh", "-t", "-F", str(cluster.ssh_config), arguments.node, "sudo -i"])


def _doctor(file: Path) -> int | str:
    try:
        spec = load(file)
    except SpecError as error:
        return f"the spec can't be used:\n{error}"
    findings = doctor.examine(spec)
    doctor.show(findings, Console())
    return 0 if all(finding.is_met for finding in findings) else 1


if __name__ == "__main__":
    main()
