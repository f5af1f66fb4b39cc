"""One bring-up from nothing running to every pod Ready, and the floor of it, taken from the same one.

The floor is the path that no bring-up gets around: the control plane boots and is initialised while the workers boot,
one joins, and the pod network comes up on the last one that joined.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.cost import measured
from kubeproof.access.api import Api
from kubeproof.bring_up import lifecycle, state
from kubeproof.experiments.settling import settle
from kubeproof.lab import box
from kubeproof.process import paths
from kubeproof.process.progress import Progress, Task
from kubeproof.results.document import STEP
from kubeproof.results.steps import ScriptStep
from kubeproof.spec import Spec

MEBI = 1 << 20
MACHINES_UP = "vagrant up"  # how the description of that task begins


class NotingProgress(Progress):
    """Progress that notes when each task began."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.began: dict[str, datetime.datetime] = {}

    @contextmanager
    def task(self, description: str) -> Iterator[Task]:
        """Note it, and go on as ever."""
        self.began[description.partition(":")[0]] = datetime.datetime.now(datetime.UTC)
        with super().task(description) as task:
            yield task


def measure(spec: Spec, file: Path) -> dict[str, float]:
    """Bring the cluster of `spec`, which `file` has, up, while holding the lab, and leave it: seconds, and MiB."""
    progress = NotingProgress()
    lifecycle.destroy(progress)
    with measured() as cached:
        box.prepare(spec, progress)
    before = psutil.virtual_memory()
    try:
        lifecycle.provide(spec, file, progress)
        settle(Api(paths.state() / "kubeconfig"), spec, progress)
    except BaseException:
        lifecycle.destroy(progress)
        raise
    ready, began = datetime.datetime.now(datetime.UTC), progress.began[MACHINES_UP]
    steps = [STEP.validate_json(line) for line in state.steps_file().read_text().splitlines()]
    parts = _floor(steps, spec.control_plane.name, began, ready)
    return {
        "box, from what is cached": cached.clock,
        "vagrant up to every pod Ready": (ready - began).total_seconds(),
        **{f"floor: {name}": seconds for name, seconds in parts.items()},
        "floor": sum(parts.values()),
        "memory of the whole lab: MiB": (before.available - psutil.virtual_memory().available) / MEBI,
    }


def _floor(
    steps: list[ScriptStep], control_plane: str, began: datetime.datetime, ready: datetime.datetime
) -> dict[str, float]:
    first = min(step.started for step in steps if step.node == control_plane)
    initialised = next(step.ended for step in steps if step.step == "kubeadm-init")
    joins = [(step.started, step.ended) for step in steps if step.step == "kubeadm-join"]
    assert initialised
    # A join waits by itself for an API server that is not there yet: the shortest did not.
    took = [(ended - started).total_seconds() for started, ended in joins if ended]
    last = max(ended for _, ended in joins if ended)
    return {
        "the control plane boots": (first - began).total_seconds(),
        "it is initialised": (initialised - first).total_seconds(),
        "one worker joins": min(took),
        "the pod network is there": (ready - last).total_seconds(),
    }
