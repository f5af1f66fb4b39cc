"""All reads of the cluster that is kept, beside a peer's and beside the floor.

Everything is measured in one run, in turn. Of each the seconds of the clock are told, and the seconds of this machine's
processors that the suite itself took (the lab's machines are none of it): the latter hardly change with what else runs.
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
    """By what was measured: its seconds, of the clock and of the processors."""
    cluster = state.kept()
    assert cluster is not None, "no cluster is kept: `make up` brings one up"
    spec, api = load(cluster.spec), Api(cluster.kubeconfig)
    costs: dict[str, list[Cost]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "commands"
        os.environ[commands.FILE] = str(notes)
        # As people have it: this first run, which is not measured, leaves bytecode for the others.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        judged = _judge(cluster.spec, folder, "-n", "auto", "-p", "bench.commands")
        gathered = _commands(notes)
        parts: dict[str, Callable[[], None]] = {
            "empty tests": lambda: floor.empty_tests(judged, max(FEWEST_WORKERS, psutil.cpu_count() or 1)),
            "one round trip": lambda: floor.one_round_trip(gathered, cluster.ssh_config),
            "API lists": lambda: floor.api_lists(api),
            "traffic": lambda: floor.traffic(api, spec, cluster.ssh_config),
        }
        for _ in range(runs):
            with measured() as cost:
                assert _judge(cluster.spec, folder, "-n", "auto") == judged
            costs["product"].append(cost)
            whole = Cost()
            for name, part in parts.items():
                with measured() as cost:
                    part()
                costs[f"floor: {name}"].append(cost)
                whole += cost
            costs["floor"].append(whole)
            with measured() as cost:
                assert _judge(cluster.spec, folder, "-p", "no:xdist", "-p", "bench.peer") == judged
            costs["peer"].append(cost)
    return {
        name: {
            "clock": Figure.of([cost.clock for cost in seen]),
            "processor": Figure.of([cost.processor for cost in seen]),
        }
        for name, seen in costs.items()
    }


def judging(spec: Path, reports: str, *arguments: str) -> list[str]:
    """The command that judges all reads of the cluster that is kept."""
    options = ["-q", "--keep-cluster", f"--cluster={spec}", f"--reports={reports}", *READS]
    return [sys.executable, "-m", "pytest", *options, *arguments]


def _judge(spec: Path, reports: str, *arguments: str) -> int:
    """All reads, once: how many checks passed; all must."""
    subprocess.run(judging(spec, reports, *arguments), check=True, capture_output=True)
    return len(store.read(Path(reports) / "latest")[1])


def _commands(notes: Path) -> dict[str, list[str]]:
    """What the checks ran on each machine; the traffic's, whose pods are gone by now, is measured by itself."""
    told: dict[str, dict[str, None]] = defaultdict(dict)
    for line in notes.read_text().splitlines():
        host, command = json.loads(line)
        if "/hostname" not in command:
            told[host][command] = None
    return {host: list(kept) for host, kept in told.items()}
