"""The command that writes a first spec: `init`."""

from pathlib import Path
from typing import Annotated

import typer

from kubeproof.cli.application import QuietOption, app, give_up, refuse


@app.command()
def init(
    folder: Annotated[
        Path | None,
        typer.Option("--vagrantfile", metavar="FOLDER", readable=False, help="The folder of a Vagrantfile."),
    ] = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option("--kubeconfig", metavar="FILE", readable=False, help="The kubeconfig of a cluster that exists."),
    ] = None,
    ssh_config: Annotated[
        Path | None,
        typer.Option(
            "--ssh-config",
            metavar="FILE",
            readable=False,
            help="How its machines are entered, by their names in the API.",
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", readable=False, help="The spec to write; never one that is there."
        ),
    ] = Path("kubeproof.yaml"),
    quiet: QuietOption = False,
) -> None:
    """Write a spec of what is there, by asking it: a Vagrantfile with its machines, or a cluster by its API.

    Vagrant is asked for machines, addresses, provider, scripts, cpus and memory. Where the scripts are those that
    kubeproof's Vagrantfile calls, the spec brings the same machines up; of any other Vagrantfile, the machines must be
    up, and the spec is of the existing cluster in them.
    The API is asked for nodes, roles, addresses, version, networks and components. What nobody tells is left out, and
    with it the checks that need it.

    \b
    Examples:
      kubeproof init --vagrantfile ~/cluster
      kubeproof init --kubeconfig shop.kubeconfig -o shop.yaml
      kubeproof init --kubeconfig shop.kubeconfig --ssh-config ~/.ssh/shop -o shop.yaml

    \b
    Exit status: 0 written; 1 what was asked does not answer; 2 bad input.
    """
    from kubeproof.initial import Impossible, Unanswered, cluster, vagrantfile
    from kubeproof.process.progress import Progress

    if (folder is None) == (kubeconfig is None):
        refuse("name one of --vagrantfile and --kubeconfig: what is the spec to be of?")
    if folder is not None and ssh_config is not None:
        refuse("--ssh-config goes with --kubeconfig: Vagrant tells how its machines are entered")
    try:
        if folder is not None:
            vagrantfile.write_spec(folder, output, Progress(quiet=quiet))
        elif kubeconfig is not None:
            cluster.write_spec(kubeconfig, ssh_config, output, Progress(quiet=quiet))
    except Impossible as error:
        refuse(str(error))
    except Unanswered as error:
        give_up(str(error))
    typer.echo(f"{output} is written. What it has judged: kubeproof verify --cluster {output} --collect-only -q")
