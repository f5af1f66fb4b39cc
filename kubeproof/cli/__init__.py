"""The command line: a thin way to pytest and to the library.

This room never knows how anything is done: each command imports the room that does it when it runs.
"""

from kubeproof.cli import first_spec, judging, machines, past_runs
from kubeproof.cli.application import BAD_INPUT, NOT_PROVED, PROVED, app

__all__ = ["BAD_INPUT", "NOT_PROVED", "PROVED", "app", "first_spec", "judging", "machines", "main", "past_runs"]


def main() -> None:
    """Do what the command line asks, and exit with its status."""
    app(prog_name="kubeproof")
