"""`make bench`: the phases of one bring-up and of one read-only verdict, as figures of this run on this machine.

Seconds are of this machine as busy as it is: compare figures of one run with each other, not with another machine's.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench import experiments
from kubeproof import bring_up, paths
from kubeproof.api import Api
from kubeproof.lab import box
from kubeproof.progress import Progress
from kubeproof.settling import settle
from kubeproof.spec import load

RAW = Path("bench") / "latest.json"
MEBI = 1 << 20


def timed(action: Callable[[], object]) -> float:
    """Seconds that `action` takes."""
    started = time.monotonic()
    action()
    return time.monotonic() - started


def main() -> None:
    """Destroy what is kept, measure, destroy; print a table and keep the raw figures."""
    progress = Progress()
    spec = load(paths.DEFAULT_SPEC)
    figures: dict[str, float] = {}
    with bring_up.holding_the_cluster(progress):
        bring_up.destroy(progress)
        figures["box, from what is cached: s"] = timed(lambda: box.prepare(spec, progress))
        before = psutil.virtual_memory()
        try:
            whole = timed(lambda: bring_up.provide(spec, paths.DEFAULT_SPEC, progress))
            kubeconfig = paths.state() / "kubeconfig"
            settled = timed(lambda: settle(Api(kubeconfig), spec, progress))
            figures["lab started and vagrant up, four machines: s"] = whole
            figures["until every pod is Ready after that: s"] = settled
            figures["from nothing running to every pod Ready: s"] = whole + settled
            figures["memory of the whole lab: MiB"] = (before.available - psutil.virtual_memory().available) / MEBI
        except BaseException:
            bring_up.destroy(progress)
            raise
    try:
        command = [sys.executable, "-m", "pytest", "-n", "auto", "-q", "--keep-cluster", "-m", "not experiment"]
        figures["all reads on the running cluster: s"] = timed(lambda: subprocess.run(command, check=True))
        command = [sys.executable, "-m", "pytest", "-n", "auto", "-q", "--keep-cluster"]
        figures["all reads and experiments on the running cluster: s"] = timed(
            lambda: subprocess.run(command, check=True)
        )
        figures |= experiments.figures(experiments.LATEST, spec)
    finally:
        with bring_up.holding_the_cluster(progress):
            figures["destroyed: s"] = timed(lambda: bring_up.destroy(progress))
    _show(figures)


def _show(figures: dict[str, float]) -> None:
    machine = f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total // MEBI} MiB, Linux {platform.release()}"
    RAW.write_text(json.dumps({"machine": machine, "figures": figures}, indent=1) + "\n")
    table = Table("figure", "value", title=f"One run on {machine}")
    for name, value in figures.items():
        table.add_row(name, f"{value:.1f}" if name.endswith("s") else f"{value:.0f}")
    Console().print(table)
    Console().print(f"kept in {RAW}", style="dim")


if __name__ == "__main__":
    main()
