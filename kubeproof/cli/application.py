"""The application that commands are added to, with the options, exit statuses and messages that they share.

A command imports the room that it needs when it runs, so that --help and completion answer at once.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from kubeproof.spec import Spec

PROVED, NOT_PROVED, BAD_INPUT = 0, 1, 2

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
  kubeproof up                     the same, but judge only what reads, and keep it
  kubeproof shell w1-k8s           look around on one of its machines
  kubeproof destroy                end it

\b
Your own cluster:
  kubeproof init --vagrantfile .   write a spec of it, by asking Vagrant and its machines
  kubeproof verify --cluster kubeproof.yaml

\b
Exit statuses: 0 proved, or done; 1 not proved, or not done; 2 bad input: nothing was judged.
`kubeproof COMMAND --help` has examples of each.""",
)

ClusterOption = Annotated[
    Path,
    typer.Option(
        "--cluster", metavar="FILE", readable=False, help="The spec of the cluster.", show_default="the bundled one"
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but what goes wrong.")]
AllowOption = Annotated[
    str, typer.Option("--allow-disruption", metavar="NAME", help="Change the existing cluster of that name as well.")
]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"kubeproof {importlib.metadata.version('kubeproof')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is, and exit.")
    ] = False,
) -> None:
    pass


def load_spec(file: Path) -> Spec:
    """Load the spec, or say what is wrong with it and exit."""
    from kubeproof.spec import SpecError, load

    try:
        return load(file)
    except SpecError as error:
        refuse(f"the spec can't be used:\n{error}")


def refuse(message: str) -> NoReturn:
    """Say why the input is bad, and exit: nothing was judged or changed."""
    typer.echo(message, err=True)
    raise typer.Exit(BAD_INPUT)


def give_up(message: str) -> NoReturn:
    """Say why the command could not do its work, and exit."""
    typer.echo(message, err=True)
    raise typer.Exit(NOT_PROVED)
