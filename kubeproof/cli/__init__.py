"""The command line: it reads arguments, calls another room or pytest, and exits with the documented status.

It never knows how anything is done: each command imports the room that does it when it runs.
"""

from kubeproof.cli import first_spec, judging, machines, past_runs
from kubeproof.cli.application import Status, app

__all__ = ["Status", "app", "first_spec", "judging", "machines", "main", "past_runs"]


def main() -> None:
    """Run the command of the command line, and exit with its status."""
    app(prog_name="kubeproof")
