"""All reads of the kept cluster, beside a peer and beside the floor, measured in turn in one run.

Each has seconds of the clock, and seconds of the processors, which count the suite's own processes and not the lab's
machines: other processes hardly change them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import psutil

from bench import commands, floor
from bench.cost import Cost, Figure, measured
from kubeproof.access.api import Api
from kubeproof.bring_up import state
from kubeproof.pytest_plugin.session import FEWEST_WORKERS
from kubeproof.results import store
from kubeproof.spec import load

READS = ["-m", "not experiment and not after_experiments"]


def compared(runs: int) -> dict[str, dict[str, Figure]]:
    """Seconds of the clock and of the processors, by what was measured."""
    cluster = state.kept()
    assert cluster is not None, "no cluster is kept: `make up` brings one up"
    spec, api = load(cluster.spec), Api(cluster.kubeconfig)
    costs: dict[str, list[Cost]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "commands"
        os.environ[commands.FILE] = str(records)
        # As for most people: this first run, which is not measured, leaves bytecode for the others.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        checks = _judge(cluster.spec, folder, "-n", "auto", "-p", "bench.commands")
        by_machine = _commands(records)
        parts: dict[str, Callable[[], None]] = {
            "empty tests": lambda: floor.empty_tests(checks, max(FEWEST_WORKERS, psutil.cpu_count() or 1)),
            "one round trip": lambda: floor.one_round_trip(by_machine, cluster.ssh_config),
            "API lists": lambda: floor.api_lists(api),
            "traffic": lambda: floor.traffic(api, spec, cluster.ssh_config),
        }
        for _ in range(runs):
            with measured() as cost:
                assert _judge(cluster.spec, folder, "-n", "auto") == checks
            costs["product"].append(cost)
            whole = Cost()
            for name, part in parts.items():
                with measured() as cost:
                    part()
                costs[f"floor: {name}"].append(cost)
                whole += cost
            costs["floor"].append(whole)
            with measured() as cost:
                assert _judge(cluster.spec, folder, "-p", "no:xdist", "-p", "bench.peer") == checks
            costs["peer"].append(cost)
    return {
        name: {
            "clock": Figure.of([cost.clock for cost in measurements]),
            "processor": Figure.of([cost.processor for cost in measurements]),
        }
        for name, measurements in costs.items()
    }


def judging(spec: Path, reports: str, *arguments: str) -> list[str]:
    """The command that judges all reads of the kept cluster."""
    options = ["-q", "--keep-cluster", f"--cluster={spec}", f"--reports={reports}", *READS]
    return [sys.executable, "-m", "pytest", *options, *arguments]


def _judge(spec: Path, reports: str, *arguments: str) -> int:
    """Judge all reads once, and return the number of checks; all must pass."""
    subprocess.run(judging(spec, reports, *arguments), check=True, capture_output=True)
    return len(store.read(Path(reports) / "latest")[1])


def _commands(records: Path) -> dict[str, list[str]]:
    """Each command of the checks once, by machine; not those to the traffic's pods, which are gone by now."""
    by_machine: dict[str, dict[str, None]] = defaultdict(dict)
    for line in records.read_text().splitlines():
        machine, command = json.loads(line)
        if "/hostname" not in command:
            by_machine[machine][command] = None
    return {machine: list(lines) for machine, lines in by_machine.items()}
