"""The commands for the results of past runs: `diff` and `report`."""

from pathlib import Path
from typing import Annotated

import typer

from kubeproof.cli.application import Status, app, refuse


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(readable=False, help="The folder of a run.")],
    new: Annotated[Path, typer.Argument(readable=False, help="The folder of a later run, such as reports/latest.")],
) -> None:
    """Print what became better or worse from one run to another: verdicts, judged checks, and times.

    \b
    Example, a gate for changes to scripts:
      kubeproof diff reports/2026-11-23T06-48-44Z reports/latest

    \b
    Exit status: 0 nothing is worse; 1 something is; 2 bad input: a folder without results.
    """
    from kubeproof.report import diff as comparison
    from kubeproof.results.store import Unreadable

    try:
        text, worse = comparison.compare(old, new)
    except Unreadable as error:
        refuse(str(error))
    typer.echo(text, nl=False)
    raise typer.Exit(Status.NOT_PROVED if worse else Status.PROVED)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(readable=False, help="The folder of a run, such as reports/latest.")],
) -> None:
    """Write a run's report again: after the run was killed, or with a later version of kubeproof.

    \b
    Example:
      kubeproof report reports/latest

    \b
    Exit status: 0 written; 2 bad input: a folder without results.
    """
    from kubeproof import report as reports
    from kubeproof.results.store import Unreadable

    try:
        typer.echo(f"{reports.write(folder)}")
    except Unreadable as error:
        refuse(str(error))
