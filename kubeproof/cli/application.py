"""The application, with the options, exit statuses and messages that its commands share.

A command imports the room that it needs when it runs, so that --help and completion answer at once.
"""

from __future__ import annotations

from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from kubeproof.spec import Spec


class Status(IntEnum):
    """What a command's exit status means."""

    PROVED = 0
    NOT_PROVED = 1
    BAD_INPUT = 2


app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Prove that a Kubernetes cluster is what its provisioning promises.

\b
From nothing to a verdict:
  kubeproof doctor                 what this machine still needs
  kubeproof verify                 bring the bundled cluster up, judge it, destroy it
  kubeproof up                     bring it up, judge it without experiments, and keep it
  kubeproof shell w1-k8s           look around on one of its machines
  kubeproof destroy                end it

\b
Your own cluster:
  kubeproof init --vagrantfile .   write a spec of it, from the answers of Vagrant and its machines
  kubeproof verify --cluster kubeproof.yaml

\b
Exit statuses: 0 proved, or done; 1 not proved, or not done; 2 bad input: nothing was judged.
`kubeproof COMMAND --help` shows examples of each command.""",
)

# An option that is a path; the command itself, not typer, reports an unreadable one.
path_option = partial(typer.Option, metavar="FILE", readable=False)
ClusterOption = Annotated[
    Path, path_option("--cluster", help="The spec of the cluster.", show_default="the bundled one")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print only problems.")]
KeepOption = Annotated[bool, typer.Option("--keep-cluster", help="Leave the cluster up.")]
AllowOption = Annotated[
    str, typer.Option("--allow-disruption", metavar="NAME", help="Also change the existing cluster of that name.")
]


def _version(is_wanted: bool) -> None:
    if is_wanted:
        import importlib.metadata

        typer.echo(f"kubeproof {importlib.metadata.version('kubeproof')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version, and exit.")
    ] = False,
) -> None:
    pass


def load_spec(file: Path) -> Spec:
    """Load the spec; if it can't be used, print why and exit."""
    from kubeproof.spec import SpecError, load

    try:
        return load(file)
    except SpecError as error:
        refuse(f"the spec can't be used:\n{error}")


def refuse(message: str) -> NoReturn:
    """Print why the input is bad, and exit: nothing was judged or changed."""
    typer.echo(message, err=True)
    raise typer.Exit(Status.BAD_INPUT)


def give_up(message: str) -> NoReturn:
    """Print why the command could not do its work, and exit."""
    typer.echo(message, err=True)
    raise typer.Exit(Status.NOT_PROVED)
