"""The kept cluster from the command line: `python -m kubeproof destroy` and `python -m kubeproof shell NODE`."""

from __future__ import annotations

import argparse
import os
import sys

from kubeproof import bring_up
from kubeproof.commands import CommandFailed
from kubeproof.progress import Progress


def main() -> None:
    """Do what the command line asks, or say why not and exit with 1."""
    parser = argparse.ArgumentParser(prog="python -m kubeproof", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("destroy", help="end and remove the kept cluster")
    commands.add_parser("shell", help="a root shell on a machine of the kept cluster").add_argument("node")
    arguments = parser.parse_args()
    if arguments.command == "destroy":
        progress = Progress()
        with bring_up.holding_the_lab(progress):
            try:
                bring_up.destroy(progress)
            except CommandFailed as error:
                sys.exit(f"the cluster is still there: {error}")
        return
    cluster = bring_up.kept()
    if cluster is None:
        sys.exit("no cluster is up: `make up` brings one up and keeps it")
    os.execvp("ssh", ["ssh", "-t", "-F", str(cluster.ssh_config), arguments.node, "sudo -i"])


if __name__ == "__main__":
    main()
