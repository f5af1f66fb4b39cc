"""The commands for this machine and for those of the kept cluster: `doctor`, `shell`, `mend` and `destroy`."""

import os
import sys
from typing import Annotated

import typer

from kubeproof.cli.application import (
    AllowOption,
    ClusterOption,
    QuietOption,
    Status,
    app,
    give_up,
    load_spec,
    refuse,
)
from kubeproof.process import paths


@app.command()
def doctor(cluster: ClusterOption = paths.DEFAULT_SPEC) -> None:
    """Print each need of the lab, what this machine has, and how to supply what it lacks; change nothing.

    \b
    Exit status: 0 a run can start; 1 something prevents it; 2 bad input: a spec that can't be used.
    """
    from rich.console import Console

    from kubeproof.lab import doctor as machine_needs
    from kubeproof.process.progress import Progress

    spec = load_spec(cluster)
    with Progress().task("looking at this machine"):
        findings = machine_needs.examine(spec)
    machine_needs.show(findings, Console())
    raise typer.Exit(Status.PROVED if all(finding.is_met for finding in findings) else Status.NOT_PROVED)


@app.command()
def shell(node: Annotated[str, typer.Argument(help="The machine's name in the spec, such as w1-k8s.")]) -> None:
    """Open a root shell on a machine of the kept cluster.

    \b
    Examples:
      kubeproof shell m-k8s
      echo 'journalctl -u kubelet -n 20' | kubeproof shell w1-k8s

    \b
    Exit status: the shell's; 1 no cluster is up; 2 bad input: an unknown machine.
    """
    from paramiko import SSHConfig

    from kubeproof.bring_up import state

    cluster = state.kept()
    if cluster is None:
        give_up("no cluster is up: `kubeproof up` brings one up and keeps it")
    names = sorted(SSHConfig.from_path(str(cluster.ssh_config)).get_hostnames() - {"*"})
    if node not in names:
        refuse(f"there is no machine {node}: the cluster's machines are {', '.join(names)}")
    terminal = ["-t"] if sys.stdin.isatty() else []
    os.execvp("ssh", ["ssh", *terminal, "-F", str(cluster.ssh_config), node, "sudo -i"])


@app.command()
def mend(cluster: ClusterOption = paths.DEFAULT_SPEC, allow: AllowOption = "", quiet: QuietOption = False) -> None:
    """Undo the faults that a killed run left in machines, and print them.

    The next run does the same. The kept cluster needs no spec; an existing one needs its name to be changed.

    \b
    Examples:
      kubeproof mend
      kubeproof mend --cluster shop.yaml --allow-disruption shop

    \b
    Exit status: 0 no fault is left; 1 one is; 2 bad input.
    """
    from kubeproof.access.ssh import Unreachable
    from kubeproof.bring_up import mending
    from kubeproof.process.progress import Progress
    from kubeproof.results.steps import BringUpFailed

    try:
        mended = mending.mend(load_spec(cluster), allow, Progress(quiet=quiet))
    except mending.NotAllowed as error:
        refuse(str(error))
    except (BringUpFailed, Unreachable) as error:
        give_up(str(error))
    for fault in mended:
        typer.echo(f"mended what a run left in: {fault.name} on {fault.node}")
    if not mended:
        typer.echo("no fault was left")


@app.command()
def destroy(quiet: QuietOption = False) -> None:
    """Destroy the kept cluster and its lab; without one, do nothing.

    \b
    Exit status: 0 it is gone; 1 it still exists.
    """
    from kubeproof.bring_up import lifecycle, state
    from kubeproof.process.commands import CommandFailed
    from kubeproof.process.progress import Progress
    from kubeproof.results.steps import BringUpFailed

    progress = Progress(quiet=quiet)
    try:
        with state.holding_the_cluster(progress):
            lifecycle.destroy(progress)
    except CommandFailed as error:
        give_up(f"the cluster is still there: {error}")
    except BringUpFailed as error:
        give_up(str(error))
