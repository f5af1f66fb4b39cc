"""`make soak`: judges one untouched cluster again and again, and counts the red checks, which are all false alarms.

`python -m bench.soak RUNS [--cluster=SPEC] [PYTEST ARGUMENT ...]`; without arguments for pytest, all reads.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kubeproof.process import paths
from kubeproof.results import model, store

READS = ["-m", "not experiment"]


def main() -> None:
    """Print the tally; exit with 1 if any check was red in any run."""
    parser = argparse.ArgumentParser(prog="bench.soak")
    parser.add_argument("runs", type=int)
    parser.add_argument("--cluster", type=Path, default=paths.DEFAULT_SPEC)
    options, selection = parser.parse_known_args()
    runs, arguments = options.runs, [f"--cluster={options.cluster}", *(selection or READS)]
    red: Counter[str] = Counter()
    seconds, judged = [], 0
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, runs + 1):
            results, duration = judge(Path(folder), arguments)
            judged += len(results)
            alarms = [f"{result.check} {result.node}".strip() for result in results if result.outcome != "passed"]
            red.update(alarms)
            seconds.append(duration)
            console.print(
                f"run {number} of {runs}: {len(results)} checks, {duration:.1f} s, red: {', '.join(alarms) or 'none'}"
            )
    table = Table("check", f"runs in which it was red, of {runs}")
    for check, times in red.most_common():
        table.add_row(check, str(times))
    console.print(table if red else f"no false alarm in {runs} runs, {judged} checks")
    console.print(f"a run: median {statistics.median(seconds):.1f} s, {min(seconds):.1f} to {max(seconds):.1f} s")
    sys.exit(1 if red else 0)


def judge(reports: Path, arguments: list[str]) -> tuple[list[model.Result], float]:
    """Judge the cluster once: the results, and the seconds of the whole process."""
    command = [sys.executable, "-m", "pytest", "-n", "auto", "-q", "--keep-cluster", f"--reports={reports}", *arguments]
    started = time.monotonic()
    subprocess.run(command, capture_output=True, check=False)
    return store.read(reports / "latest")[1], time.monotonic() - started


if __name__ == "__main__":
    main()
