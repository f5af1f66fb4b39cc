"""The commands that run checks: `verify`, `up` and `mutants`."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from kubeproof.cli.application import ClusterOption, KeepOption, Status, app, give_up, path_option, refuse
from kubeproof.process import paths

# By pytest.ExitCode: OK, USAGE_ERROR, NO_TESTS_COLLECTED.
EXIT_STATUS = {0: Status.PROVED, 4: Status.BAD_INPUT, 5: Status.BAD_INPUT}
ONLY_READS = "not experiment and not after_experiments"
TO_PYTEST = {"allow_extra_args": True, "ignore_unknown_options": True}

MutantsOption = Annotated[
    Path, path_option("--mutants", help="The edits of the spec's scripts.", show_default="the bundled ones")
]
OnlyOption = Annotated[str, typer.Option(metavar="TEXT", help="Only mutants with the text in their file or name.")]
SampleOption = Annotated[bool, typer.Option("--sample", help="Only a few, for a quick answer.")]
AtATimeOption = Annotated[int, typer.Option(metavar="N", help="How many at a time; 0: three for each core.")]
TableOption = Annotated[Path, path_option(metavar="DIR", help="The folder of the table and the results.")]
TestsArgument = Annotated[list[Path] | None, typer.Argument(readable=False, help="The checks to measure.")]


@app.command(context_settings=TO_PYTEST)
def verify(context: typer.Context, cluster: ClusterOption = paths.DEFAULT_SPEC, keep: KeepOption = False) -> None:
    """Bring the cluster up, or enter the existing one; judge it, report, and destroy what the run made.

    It runs `pytest -n auto` on the bundled checks, and accepts every option of pytest. A path narrows these checks, or
    adds your own.

    \b
    Examples:
      kubeproof verify --cluster shop.yaml                your own cluster
      kubeproof verify --keep-cluster                     the next run takes the cluster as it is
      kubeproof verify --keep-cluster tests/node -k hosts
      kubeproof verify -m "not experiment" -q
      kubeproof verify --collect-only -q                  only list the checks
      kubeproof verify --cluster shop.yaml --allow-disruption shop
                                                          also break parts of an existing cluster
      kubeproof verify --reports /var/tmp/reports         where the run's folder goes

    \b
    Exit status: 0 proved; 1 not proved: a check is red or could not be judged, or the run was stopped; 2 bad input: an
    option, a spec, a selection without a check.
    """
    _exit_as_judged(cluster, *(["--kubeproof-keep-cluster"] if keep else []), *context.args)


@app.command(context_settings=TO_PYTEST)
def up(context: typer.Context, cluster: ClusterOption = paths.DEFAULT_SPEC) -> None:
    """Bring the cluster up, judge it without experiments, and keep it.

    The next run takes a kept cluster as it is while spec, scripts and box are the same. Options of pytest work as with
    `verify`.

    \b
    Examples:
      kubeproof up --cluster lab.yaml
      kubeproof up tests/cluster

    \b
    Exit status: that of verify. `kubeproof destroy` ends the cluster.
    """
    _exit_as_judged(cluster, "--kubeproof-keep-cluster", "-m", ONLY_READS, *context.args)


@app.command()
def mutants(
    tests: TestsArgument = None,
    *,
    cluster: ClusterOption = paths.DEFAULT_SPEC,
    file: MutantsOption = paths.MUTANTS,
    only: OnlyOption = "",
    sample: SampleOption = False,
    side_by_side: AtATimeOption = 0,
    keep_cluster: KeepOption = False,
    reports: TableOption = Path("reports/mutants"),
) -> None:
    """Break the provisioning scripts one edit at a time: does a check notice each, and blame the right step?

    \b
    Example: kubeproof mutants --cluster shop.yaml --mutants shop-mutants.yaml shop/tests
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
    raise typer.Exit(Status.NOT_PROVED if tally.survivors else Status.PROVED)


def _exit_as_judged(cluster: Path, *arguments: str) -> NoReturn:
    import pytest

    # The configuration comes with the checks; pytest's cache, which --lf reads, stays in the current folder.
    config = ["-c", str(paths.CHECKOUT / "pyproject.toml"), "-o", f"cache_dir={Path.cwd() / '.pytest_cache'}"]
    plugin = ["-p", "kubeproof.pytest_plugin.inventory", f"--kubeproof-cluster={cluster}"]
    status = pytest.main([*config, *plugin, "-n", "auto", *arguments])
    raise typer.Exit(EXIT_STATUS.get(status, Status.NOT_PROVED))
