"""One bring-up, from nothing running to every pod Ready, and its floor, which is taken from the same bring-up.

The floor is the path that no bring-up can avoid: the control plane boots and is initialised while the workers boot, one
joins, and the pod network comes up on the last one that joined.
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
MACHINES_UP = "vagrant up"  # the first words of the task's description


class NotingProgress(Progress):
    """Progress that records when each task began."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.began: dict[str, datetime.datetime] = {}

    @contextmanager
    def task(self, description: str) -> Iterator[Task]:
        """Record the time, and show the task as usual."""
        self.began[description.partition(":")[0]] = datetime.datetime.now(datetime.UTC)
        with super().task(description) as task:
            yield task


def measure(spec: Spec, file: Path) -> dict[str, float]:
    """Bring the cluster of `spec` up from `file`, and leave it up; seconds and MiB. Call it while holding the lab."""
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
    # A join waits for the API server by itself; the shortest one did not have to.
    durations = [(ended - started).total_seconds() for started, ended in joins if ended]
    last = max(ended for _, ended in joins if ended)
    return {
        "the control plane boots": (first - began).total_seconds(),
        "it is initialised": (initialised - first).total_seconds(),
        "one worker joins": min(durations),
        "the pod network is there": (ready - last).total_seconds(),
    }
