"""`make bench`: bring-up and reads beside their floors and a peer, in one run on this machine.

python -m bench [--runs N] [--verified]
                                  measure, write bench/latest.json and print the ratios
python -m bench --reads           measure only the reads of the kept cluster; print them as a table
python -m bench --check           compare bench/latest.json with bench/figures.json; status 1 if a ratio got worse by
                                  more than half, unless other processes were so busy that nobody can tell
python -m bench --commit          copy bench/latest.json to bench/figures.json, and draw docs/speed.svg
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import bring_up as bringing_up
from bench import experiments, load, reads
from bench.cost import Figure
from bench.figures import CHART, COMMITTED, LATEST, Figures, draw, this_machine
from kubeproof.bring_up import lifecycle, state
from kubeproof.process import paths
from kubeproof.process.progress import Progress
from kubeproof.spec import load as load_spec


def main() -> None:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="How long the main job takes.")
    parser.add_argument("--runs", type=int, default=3, help="how often everything is measured, for a median")
    parser.add_argument("--verified", action="store_true", help="break nothing: use the experiments of the last run")
    parser.add_argument("--check", action="store_true", help="compare with the committed figures")
    parser.add_argument("--reads", action="store_true", help="measure only the reads of the kept cluster")
    parser.add_argument("--commit", action="store_true", help="make the latest figures the committed ones")
    parser.add_argument("--cluster", type=Path, default=paths.DEFAULT_SPEC, metavar="FILE", help="the cluster's spec")
    arguments = parser.parse_args()
    if arguments.commit:
        figures = _read(LATEST)
        figures.save(COMMITTED)
        draw(figures, CHART)
    elif arguments.check:
        is_acceptable, report = _read(LATEST).compared_with(_read(COMMITTED))
        if report:
            Console(stderr=not is_acceptable, soft_wrap=True).print(report)
        sys.exit(0 if is_acceptable else 1)
    elif arguments.reads:
        _show(reads.compared(arguments.runs))
    else:
        figures = measure(arguments.cluster.resolve(), arguments.runs, verified=arguments.verified)
        figures.save(LATEST)
        _show(figures.reads)
        console = Console()
        for name, ratio in figures.ratios.items():
            console.print(f"{name}: {ratio:.2f}")
        console.print(f"other processes took {figures.others_share or 0:.0%} of the cores meanwhile")
        console.print(f"written to {LATEST}", style="dim")


def measure(file: Path, runs: int, *, verified: bool) -> Figures:
    """Bring the cluster up `runs` times, judge the last one as often, break it once, and destroy it.

    With `verified`, the experiments are those of the last run of all checks in the current folder.
    """
    spec, progress = load_spec(file), Progress()
    bring_ups: dict[str, list[float]] = defaultdict(list)
    with load.watched() as watched:
        try:
            for _ in range(runs):
                with state.holding_the_cluster(progress):
                    for name, value in bringing_up.measure(spec, file).items():
                        bring_ups[name].append(value)
            costs = reads.compared(runs)
            if not verified:
                command = [sys.executable, "-m", "pytest", "-n", "auto", "-q", "--keep-cluster", f"--cluster={file}"]
                subprocess.run(command, check=True)
            waits = experiments.figures(experiments.LATEST, spec)
        finally:
            with state.holding_the_cluster(progress):
                lifecycle.destroy(progress)
    return Figures(
        machine=this_machine(),
        runs=runs,
        others_share=round(watched.others_share, 3),
        bring_up={name: Figure.of(values) for name, values in bring_ups.items()},
        reads=costs,
        experiments=waits,
    )


def _show(figures: dict[str, dict[str, Figure]]) -> None:
    table = Table("measured", "clock: s", "from", "to", "processors: s", "from", "to")
    for name, figure in figures.items():
        cells = [f"{value:.1f}" for part in figure.values() for value in (part.median, part.least, part.most)]
        table.add_row(name, *cells)
    Console().print(table)


def _read(file: Path) -> Figures:
    if not file.exists():
        sys.exit(f"{file} does not exist: `make bench` measures, and `python -m bench --commit` commits its figures")
    return Figures.model_validate_json(file.read_text())


if __name__ == "__main__":
    main()
