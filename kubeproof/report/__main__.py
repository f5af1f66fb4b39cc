"""`python -m kubeproof.report FOLDER` makes the reports of a run anew: of a killed run, or with a later version."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kubeproof import report
from kubeproof.results import Unreadable


def main() -> None:
    """Make the reports, say where, or say why not and exit with 2."""
    parser = argparse.ArgumentParser(prog="python -m kubeproof.report", description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder of a run, such as reports/latest")
    try:
        sys.stdout.write(f"{report.write(parser.parse_args().folder)}\n")
    except Unreadable as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
