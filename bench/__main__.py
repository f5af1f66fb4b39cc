"""`make bench`: bring-up and reads beside their floors and a peer, in one run on this machine.

python -m bench [--runs N] [--verified]
                                  measure, keep bench/latest.json and print the ratios
python -m bench --reads           only the reads, of the cluster that is kept; print them as a table
python -m bench --check           hold bench/latest.json against bench/figures.json; status 1 if a ratio got worse by
                                  more than half
python -m bench --commit          make bench/latest.json the figures to be held against, and draw docs/speed.svg
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
from bench import experiments, reads
from bench.cost import Figure
from bench.figures import CHART, COMMITTED, LATEST, Figures, draw, this_machine
from kubeproof.bring_up import lifecycle, state
from kubeproof.process import paths
from kubeproof.process.progress import Progress
from kubeproof.spec import load


def main() -> None:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="How long the main job takes.")
    parser.add_argument("--runs", type=int, default=3, help="of everything, for a median")
    parser.add_argument("--verified", action="store_true", help="break nothing: take the experiments of the last run")
    parser.add_argument("--check", action="store_true", help="status 1 if a ratio got worse by more than half")
    parser.add_argument("--reads", action="store_true", help="only the reads, of the cluster that is kept")
    parser.add_argument("--commit", action="store_true", help="make the latest figures those to be held against")
    parser.add_argument("--cluster", type=Path, default=paths.DEFAULT_SPEC, metavar="FILE", help="the cluster's spec")
    arguments = parser.parse_args()
    if arguments.commit:
        figures = _read(LATEST)
        figures.save(COMMITTED)
        draw(figures, CHART)
    elif arguments.check:
        worse = _read(LATEST).worse_than(_read(COMMITTED))
        sys.exit("\n".join(f"worse by more than half: {name}: {how}" for name, how in worse.items()) or 0)
    elif arguments.reads:
        _show(reads.compared(arguments.runs))
    else:
        figures = measure(arguments.cluster.resolve(), arguments.runs, verified=arguments.verified)
        figures.save(LATEST)
        _show(figures.reads)
        console = Console()
        for name, ratio in figures.ratios.items():
            console.print(f"{name}: {ratio:.2f}")
        console.print(f"kept in {LATEST}", style="dim")


def measure(file: Path, runs: int, *, verified: bool) -> Figures:
    """Bring the cluster up so many times, judge the last one as often, break it once, and destroy it.

    With `verified`, the last run of all checks in this folder has broken one like it already.
    """
    spec, progress = load(file), Progress()
    seen: dict[str, list[float]] = defaultdict(list)
    try:
        for _ in range(runs):
            with state.holding_the_cluster(progress):
                for name, value in bringing_up.measure(spec, file).items():
                    seen[name].append(value)
        judged = reads.compared(runs)
        if not verified:
            command = [sys.executable, "-m", "pytest", "-n", "auto", "-q", "--keep-cluster", f"--cluster={file}"]
            subprocess.run(command, check=True)
        broken = experiments.figures(experiments.LATEST, spec)
    finally:
        with state.holding_the_cluster(progress):
            lifecycle.destroy(progress)
    return Figures(
        machine=this_machine(),
        runs=runs,
        bring_up={name: Figure.of(values) for name, values in seen.items()},
        reads=judged,
        experiments=broken,
    )


def _show(figures: dict[str, dict[str, Figure]]) -> None:
    table = Table("measured", "clock: s", "from", "to", "processors: s", "from", "to")
    for name, figure in figures.items():
        cells = [f"{value:.1f}" for part in figure.values() for value in (part.median, part.least, part.most)]
        table.add_row(name, *cells)
    Console().print(table)


def _read(file: Path) -> Figures:
    if not file.exists():
        sys.exit(f"{file} is not there: `make bench` measures, and `python -m bench --commit` keeps what it saw")
    return Figures.model_validate_json(file.read_text())


if __name__ == "__main__":
    main()
