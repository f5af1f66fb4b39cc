"""The commands that run checks: `verify`, `up` and `mutants`."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from kubeproof.cli.application import BAD_INPUT, NOT_PROVED, PROVED, ClusterOption, app, give_up, refuse
from kubeproof.process import paths

# pytest's own of pytest.ExitCode: a wrong use of its command line, and a selection that leaves no check.
PYTEST_BAD_INPUT = (4, 5)
ONLY_READS = "not experiment and not after_experiments"
TO_PYTEST = {"allow_extra_args": True, "ignore_unknown_options": True}


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
    from kubeproof.lab import LabFailed
    from kubeproof.mutation import command
    from kubeproof.mutation.model import MutantsError
    from kubeproof.process.commands import CommandFailed
    from kubeproof.results.steps import BringUpFailed
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
        refuse(str(error))
    except (BringUpFailed, LabFailed, CommandFailed, OSError) as error:
        give_up(str(error))
    typer.echo(f"{tally.summary}\ntable: {reports / 'mutants.md'}")
    raise typer.Exit(NOT_PROVED if tally.survivors else PROVED)


def _exit_as_judged(arguments: list[str]) -> NoReturn:
    import pytest

    # The configuration that comes with the checks; what pytest remembers for --lf is kept in the current folder.
    ours = ["-c", str(paths.CHECKOUT / "pyproject.toml"), "-o", f"cache_dir={Path.cwd() / '.pytest_cache'}"]
    status = pytest.main(["-p", "kubeproof.pytest_plugin.inventory", *ours, "-n", "auto", *arguments])
    raise typer.Exit(PROVED if status == 0 else BAD_INPUT if status in PYTEST_BAD_INPUT else NOT_PROVED)
