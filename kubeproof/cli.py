"""kubeproof from the command line: a thin way to pytest and to the library.

Each command imports what it needs when it is run, so that --help and completion answer at once. Another command is one
more function here, or a Typer of its own that is added to `app`.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from kubeproof import paths

if TYPE_CHECKING:
    from kubeproof.spec import Spec

PROVED, NOT_PROVED, BAD_INPUT = 0, 1, 2
# pytest's own of pytest.ExitCode: a wrong use of its command line, and a selection that leaves no check.
PYTEST_BAD_INPUT = (4, 5)
ONLY_READS = "not experiment and not after_experiments"

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

TO_PYTEST = {"allow_extra_args": True, "ignore_unknown_options": True}
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


def main() -> None:
    """Do what the command line asks, and exit with its status."""
    app(prog_name="kubeproof")


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


@app.command(context_settings=TO_PYTEST)
def verify(context: typer.Context, cluster: ClusterOption = paths.DEFAULT_SPEC) -> None:
    """Bring the cluster up, or enter the existing one; judge it, report, and destroy what was made.

    It is `pytest -n auto` on the checks that come with kubeproof: every option of pytest is taken, and a path of
    checks narrows them, or adds your own.

    \b
    Examples:
      kubeproof verify --cluster shop.yaml
      kubeproof verify --keep-cluster                     the next run takes it as it is
      kubeproof verify --keep-cluster tests/node -k hosts
      kubeproof verify -m "not experiment" -q
      kubeproof verify --cluster shop.yaml --collect-only -q
                                                          only list what would be judged
      kubeproof verify --cluster shop.yaml --allow-disruption shop
                                                          break parts of an existing cluster, too
      kubeproof verify --reports /var/tmp/reports         where the run's folder goes

    \b
    Exit status: 0 proved; 1 not proved: red, not judged, or stopped; 2 bad input: an option, a spec, a selection
    without a check.
    """
    _exit_as_judged([f"--cluster={cluster}", *context.args])


@app.command(context_settings=TO_PYTEST)
def up(context: typer.Context, cluster: ClusterOption = paths.DEFAULT_SPEC) -> None:
    """Bring the cluster up, judge what only reads, and keep it.

    A kept cluster is taken as it is while spec, scripts and box are the same. Options of pytest are taken as by
    `verify`.

    \b
    Examples:
      kubeproof up --cluster lab.yaml
      kubeproof up tests/cluster

    \b
    Exit status: as of verify. `kubeproof destroy` ends the cluster.
    """
    _exit_as_judged([f"--cluster={cluster}", "--keep-cluster", "-m", ONLY_READS, *context.args])


def _exit_as_judged(arguments: list[str]) -> NoReturn:
    import pytest

    # The configuration that comes with the checks; what pytest remembers for --lf is kept in the current folder.
    ours = ["-c", str(paths.CHECKOUT / "pyproject.toml"), "-o", f"cache_dir={Path.cwd() / '.pytest_cache'}"]
    status = pytest.main(["-p", "kubeproof.inventory", *ours, "-n", "auto", *arguments])
    raise typer.Exit(PROVED if status == 0 else BAD_INPUT if status in PYTEST_BAD_INPUT else NOT_PROVED)


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
    from kubeproof.progress import Progress

    if (folder is None) == (kubeconfig is None):
        _refuse("name one of --vagrantfile and --kubeconfig: what is the spec to be of?")
    if folder is not None and ssh_config is not None:
        _refuse("--ssh-config goes with --kubeconfig: Vagrant tells how its machines are entered")
    try:
        if folder is not None:
            vagrantfile.write_spec(folder, output, Progress(quiet=quiet))
        elif kubeconfig is not None:
            cluster.write_spec(kubeconfig, ssh_config, output, Progress(quiet=quiet))
    except Impossible as error:
        _refuse(str(error))
    except Unanswered as error:
        _give_up(str(error))
    typer.echo(f"{output} is written. What it has judged: kubeproof verify --cluster {output} --collect-only -q")


@app.command()
def diff(
    old: Annotated[
        Path, typer.Argument(readable=False, help="The folder of a run, such as reports/2026-11-23T06-48-44Z.")
    ],
    new: Annotated[Path, typer.Argument(readable=False, help="The folder of a later one, such as reports/latest.")],
) -> None:
    """Say what became better or worse from one run to another: verdicts, what is judged at all, and times.

    \b
    Example, a gate on changes to scripts:
      kubeproof diff reports/2026-11-23T06-48-44Z reports/latest

    \b
    Exit status: 0 nothing is worse; 1 something is; 2 bad input: a folder without results.
    """
    from kubeproof import diff as comparison
    from kubeproof.results import Unreadable

    try:
        text, worse = comparison.told(old, new)
    except Unreadable as error:
        _refuse(str(error))
    typer.echo(text, nl=False)
    raise typer.Exit(NOT_PROVED if worse else PROVED)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(readable=False, help="The folder of a run, such as reports/latest.")],
) -> None:
    """Make a run's report anew: of a run that was killed, or with a later version of kubeproof.

    \b
    Example:
      kubeproof report reports/latest

    \b
    Exit status: 0 made; 2 bad input: a folder without results.
    """
    from kubeproof import report as reports
    from kubeproof.results import Unreadable

    try:
        typer.echo(f"{reports.write(folder)}")
    except Unreadable as error:
        _refuse(str(error))


@app.command()
def mutants(
    tests: Annotated[list[Path] | None, typer.Argument(readable=False, help="The checks to measure.")] = None,
    *,
    cluster: ClusterOption = paths.DEFAULT_SPEC,
    file: Annotated[
        Path,
        typer.Option(
            "--mutants",
            metavar="FILE",
            readable=False,
            help="The edits of the spec's scripts.",
            show_default="the bundled ones",
        ),
    ] = paths.MUTANTS,
    only: Annotated[str, typer.Option(metavar="TEXT", help="Those whose file or name has the text.")] = "",
    sample: Annotated[bool, typer.Option("--sample", help="A few, for where time is short.")] = False,
    side_by_side: Annotated[int, typer.Option(metavar="N", help="How many at a time; 0: three a core.")] = 0,
    keep_cluster: Annotated[bool, typer.Option("--keep-cluster", help="Leave the cluster up.")] = False,
    reports: Annotated[
        Path, typer.Option(metavar="DIR", readable=False, help="Where the table and what was seen go.")
    ] = Path("reports/mutants"),
) -> None:
    """Break the provisioning scripts one edit at a time: does a check notice each, and blame the right step?

    \b
    Examples:
      kubeproof mutants --only work_nodes.sh
      kubeproof mutants --cluster shop.yaml --mutants shop-mutants.yaml shop/tests

    \b
    Exit status: 0 every mutant was noticed; 1 one survived, or the gate could not be run; 2 bad input.
    """
    from kubeproof.bring_up import BringUpFailed
    from kubeproof.commands import CommandFailed
    from kubeproof.lab import LabFailed
    from kubeproof.mutation import command
    from kubeproof.mutation.model import MutantsError
    from kubeproof.spec import SpecError

    try:
        tally = command.run(
            cluster,
            file,
            tests or [paths.CHECKS],
            only=only,
            sample=sample,
            side_by_side=side_by_side,
            keep_cluster=keep_cluster,
            reports=reports.resolve(),
        )
    except (SpecError, MutantsError) as error:
        _refuse(str(error))
    except (BringUpFailed, LabFailed, CommandFailed, OSError) as error:
        _give_up(str(error))
    typer.echo(f"{tally.summary}\ntable: {reports / 'mutants.md'}")
    raise typer.Exit(NOT_PROVED if tally.survivors else PROVED)


@app.command()
def mend(cluster: ClusterOption = paths.DEFAULT_SPEC, allow: AllowOption = "", quiet: QuietOption = False) -> None:
    """Undo the faults that a killed run left in machines, and say what they were.

    The next run does it by itself. Of the kept cluster no spec is needed; an existing one is changed only by its name.

    \b
    Examples:
      kubeproof mend
      kubeproof mend --cluster shop.yaml --allow-disruption shop

    \b
    Exit status: 0 nothing is left in; 1 something is; 2 bad input.
    """
    from kubeproof import mending
    from kubeproof.bring_up import BringUpFailed
    from kubeproof.node import Unreachable
    from kubeproof.progress import Progress

    try:
        mended = mending.mend(_load(cluster), allow, Progress(quiet=quiet))
    except mending.NotAllowed as error:
        _refuse(str(error))
    except (BringUpFailed, Unreachable) as error:
        _give_up(str(error))
    for fault in mended:
        typer.echo(f"mended what a run left in: {fault.name} on {fault.node}")
    if not mended:
        typer.echo("nothing was left in")


@app.command()
def destroy(quiet: QuietOption = False) -> None:
    """End and remove the kept cluster and all that belongs to it; nothing happens if there is none.

    \b
    Exit status: 0 there is none any more; 1 it is still there.
    """
    from kubeproof import bring_up
    from kubeproof.commands import CommandFailed
    from kubeproof.progress import Progress

    progress = Progress(quiet=quiet)
    try:
        with bring_up.holding_the_cluster(progress):
            bring_up.destroy(progress)
    except CommandFailed as error:
        _give_up(f"the cluster is still there: {error}")
    except bring_up.BringUpFailed as error:
        _give_up(str(error))


@app.command()
def doctor(cluster: ClusterOption = paths.DEFAULT_SPEC) -> None:
    """Say what this machine must have for the lab, what is there, and what to do about what is not; change nothing.

    \b
    Exit status: 0 a run can go on; 1 something stops it; 2 bad input: a spec that can't be used.
    """
    from rich.console import Console

    from kubeproof import doctor as doctors
    from kubeproof.progress import Progress

    spec = _load(cluster)
    with Progress().task("looking at this machine"):
        findings = doctors.examine(spec)
    doctors.show(findings, Console())
    raise typer.Exit(PROVED if all(finding.is_met for finding in findings) else NOT_PROVED)


@app.command()
def shell(node: Annotated[str, typer.Argument(help="The machine's name in the spec, such as w1-k8s.")]) -> None:
    """Open a root shell on a machine of the kept cluster.

    \b
    Examples:
      kubeproof shell m-k8s
      echo 'journalctl -u kubelet -n 20' | kubeproof shell w1-k8s

    \b
    Exit status: the shell's; 1 no cluster is up; 2 bad input: a machine that there is not.
    """
    from paramiko import SSHConfig

    from kubeproof import bring_up

    cluster = bring_up.kept()
    if cluster is None:
        _give_up("no cluster is up: `kubeproof up` brings one up and keeps it")
    names = sorted(SSHConfig.from_path(str(cluster.ssh_config)).get_hostnames() - {"*"})
    if node not in names:
        _refuse(f"there is no machine {node}: the cluster has {', '.join(names)}")
    terminal = ["-t"] if sys.stdin.isatty() else []
    os.execvp("ssh", ["ssh", *terminal, "-F", str(cluster.ssh_config), node, "sudo -i"])


def _load(file: Path) -> Spec:
    from kubeproof.spec import SpecError, load

    try:
        return load(file)
    except SpecError as error:
        _refuse(f"the spec can't be used:\n{error}")


def _refuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(BAD_INPUT)


def _give_up(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(NOT_PROVED)
