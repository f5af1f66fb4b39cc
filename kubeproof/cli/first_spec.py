"""The command that writes a first spec: `init`."""

from pathlib import Path
from typing import Annotated

import typer

from kubeproof.cli.application import QuietOption, app, give_up, path_option, refuse

FolderOption = Annotated[
    Path | None, path_option("--vagrantfile", metavar="FOLDER", help="The folder of a Vagrantfile.")
]
KubeconfigOption = Annotated[Path | None, path_option("--kubeconfig", help="The kubeconfig of an existing cluster.")]
SshOption = Annotated[
    Path | None, path_option("--ssh-config", help="How to enter its machines, by their names in the API.")
]
OutputOption = Annotated[Path, path_option("--output", "-o", help="The spec to write; the file must not exist yet.")]


@app.command()
def init(
    folder: FolderOption = None,
    kubeconfig: KubeconfigOption = None,
    ssh_config: SshOption = None,
    output: OutputOption = Path("kubeproof.yaml"),
    quiet: QuietOption = False,
) -> None:
    """Write a first spec of a Vagrantfile's machines, or of an existing cluster.

    Vagrant reports machines, addresses, provider, scripts, cpus and memory. If the scripts are those that kubeproof's
    Vagrantfile calls, the spec makes the same machines. Otherwise the machines must be up, and the spec is of the
    existing cluster in them.
    The API reports nodes, roles, addresses, version, networks and components. The spec leaves other values out, and
    with them the checks that need them.

    \b
    Examples:
      kubeproof init --vagrantfile ~/cluster
      kubeproof init --kubeconfig shop.kubeconfig --ssh-config ~/.ssh/shop -o shop.yaml

    \b
    Exit status: 0 written; 1 Vagrant, the API or a machine does not answer; 2 bad input.
    """
    from kubeproof.initial import Impossible, Unanswered, cluster, vagrantfile
    from kubeproof.process.progress import Progress

    if (folder is None) == (kubeconfig is None):
        refuse("name one of --vagrantfile and --kubeconfig: the source of the spec")
    if folder and ssh_config:
        refuse("--ssh-config goes with --kubeconfig: Vagrant knows how to enter its own machines")
    try:
        if folder:
            vagrantfile.write_spec(folder, output, Progress(quiet=quiet))
        elif kubeconfig:
            cluster.write_spec(kubeconfig, ssh_config, output, Progress(quiet=quiet))
    except Impossible as error:
        refuse(str(error))
    except Unanswered as error:
        give_up(str(error))
    typer.echo(f"{output} is written. To list its checks: kubeproof verify --cluster {output} --collect-only -q")
