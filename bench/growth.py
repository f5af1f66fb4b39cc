"""How the cost of the reads grows with the nodes: clusters of more of the lab's machines, and simulated nodes.

`python -m bench.growth [--nodes 4 8 12] [--simulated 100 1000] [--runs N] [--cluster=SPEC]`: print each cost, and write
bench/growth.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from bench import simulated
from bench.cost import Cost, Figure, measured
from bench.figures import MEBI, this_machine
from bench.reads import judging
from kubeproof.access.api import Api
from kubeproof.bring_up import lifecycle, state
from kubeproof.experiments.settling import settle
from kubeproof.process import paths
from kubeproof.process.progress import Progress
from kubeproof.results import store
from kubeproof.spec import Spec, load, stated

KEPT = Path("bench") / "growth.json"
LOOK_SECONDS = 1
LAST_CHARACTERS = 4000  # shown of the output of a run with a red check
# With thousands of nodes all checks would take hours: these run on each node, and the others are only collected.
OF_MANY = ["-k", "swap or sysctl or kubelet"]


class Size(BaseModel):
    """The cost of the reads of a cluster: seconds, and the most memory of all their processes, in MiB."""

    kind: str
    nodes: int
    checks: int
    clock: Figure
    processor: Figure
    memory: Figure

    @property
    def of_a_node(self) -> float:
        """Processor seconds by node."""
        return self.processor.median / self.nodes


class Memory:
    """The most memory that a process and its descendants had at once, in MiB."""

    most = 0.0

    def watch(self, process: subprocess.Popen[bytes]) -> None:
        """Sample the memory until the process ends."""
        root = psutil.Process(process.pid)
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                self.most = max(self.most, sum(_share(part) for part in [root, *root.children(recursive=True)]) / MEBI)
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_SECONDS)


def _share(process: psutil.Process) -> int:
    """Bytes, with a share of the pages that several processes share: proc(5)'s Pss."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0


def grown(spec: Spec, count: int) -> Spec:
    """The same cluster with `count` nodes: fewer workers, or more like the last one."""
    last = spec.workers[-1]
    more = [
        last.model_copy(
            update={
                "name": f"w{len(spec.workers) + number}-k8s",
                "address": stated(last.address) + number,
                "ssh_port": stated(last.ssh_port) + number,
            }
        )
        for number in range(1, count - len(spec.nodes) + 1)
    ]
    return spec.model_copy(update={"nodes": [*spec.nodes, *more][:count]})


def of_size(kind: str, nodes: int, file: Path, runs: int, *selected: str) -> Size:
    """The cost of the reads of the kept cluster."""
    costs: list[tuple[Cost, float]] = []
    with tempfile.TemporaryDirectory() as reports:
        for _ in range(runs):
            memory = Memory()
            output = Path(reports, "output")
            with measured() as cost, output.open("w") as log:
                process = subprocess.Popen(judging(file, reports, "-n", "auto", *selected), stdout=log)
                memory.watch(process)
            assert process.wait() == 0, output.read_text()[-LAST_CHARACTERS:]
            costs.append((cost, memory.most))
        checks = len(store.read(Path(reports) / "latest")[1])
    return Size(
        kind=kind,
        nodes=nodes,
        checks=checks,
        clock=Figure.of([cost.clock for cost, _ in costs]),
        processor=Figure.of([cost.processor for cost, _ in costs]),
        memory=Figure.of([most for _, most in costs]),
    )


@contextmanager
def brought_up(spec: Spec) -> Iterator[Path]:
    """The file of `spec`, whose cluster is up and at rest; it is destroyed on every way out."""
    progress = Progress()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spec.yaml"
        file.write_text(spec.document())
        try:
            with state.holding_the_cluster(progress):
                lifecycle.provide(spec, file, progress)
                settle(Api(paths.state() / "kubeconfig"), spec, progress, within=300)
            yield file
        finally:
            with state.holding_the_cluster(progress):
                lifecycle.destroy(progress)


def main() -> None:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(prog="bench.growth", description="What more nodes cost.")
    parser.add_argument("--nodes", type=int, nargs="+", default=[4, 8, 12], help="the sizes of the clusters")
    parser.add_argument(
        "--simulated", type=int, nargs="*", default=[100], help="numbers of simulated nodes beside the first cluster"
    )
    parser.add_argument("--runs", type=int, default=3, help="how often the reads of each are measured, for a median")
    parser.add_argument("--cluster", type=Path, default=paths.DEFAULT_SPEC, metavar="FILE", help="the spec to grow")
    arguments = parser.parse_args()
    sizes: list[Size] = []
    for count in arguments.nodes:
        spec = grown(load(arguments.cluster.resolve()), count)
        with brought_up(spec) as file:
            sizes.append(of_size("machines of the lab", count, file, arguments.runs))
            for many in arguments.simulated if count == arguments.nodes[0] else []:
                cluster = state.kept()
                assert cluster is not None
                with simulated.nodes(cluster, spec, many, file.parent) as listed:
                    sizes.append(of_size("simulated", many, listed, arguments.runs, *OF_MANY))
    document = {"machine": this_machine(), "runs": arguments.runs, "sizes": [size.model_dump() for size in sizes]}
    KEPT.write_text(json.dumps(document, indent=1) + "\n")
    table = Table("", "nodes", "checks", "clock s", "processors s", "s of a node", "memory MiB")
    for size in sizes:
        figures = [size.clock.median, size.processor.median, size.of_a_node, size.memory.median]
        table.add_row(size.kind, str(size.nodes), str(size.checks), *[f"{value:.1f}" for value in figures])
    Console().print(table)


if __name__ == "__main__":
    main()
