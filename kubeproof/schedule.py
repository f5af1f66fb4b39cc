"""The order and the isolation of tests, with any number of xdist workers.

Three phases: all that claims nothing, in parallel; then experiments, as whole classes that claim a node or the cluster,
side by side where their claims differ; then a last look at the baseline. One scheduler in the controller decides it.

An xdist worker runs a test only once it knows its next one. So the first test of the unit that comes next is sent
ahead: that lets the worker finish what it has, and keeps the new unit standing until the rest of it is sent. Nothing
else is needed to hold a phase, or a claimed node, closed: no lock, no polling.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.report import report_collection_diff

from kubeproof import scope
from kubeproof.reads import Reads

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

EVERYTHING, A_NODE, NOTHING = "the cluster", "a node", "nothing"
LASTS_SECONDS = 15  # of an experiment that does not say
READS_AHEAD = 3  # tests that a worker is kept supplied with while it only reads


class Phase(IntEnum):
    """When a unit may run."""

    READ = 0
    EXPERIMENT = 1
    LAST = 2


@dataclass
class Unit:
    """Tests that run together on one worker, in order: a class, or a single test; `items` index the collection."""

    phase: Phase
    items: list[int] = field(default_factory=list)
    claims: str = ""
    lasts: float = 0
    tests: int = 0  # that the items become
    asks: str = ""  # the machine that a single test asks, or several, if it asks any
    # Machine, script and step, if the machine alone tells whether the step did its work: it can without a cluster.
    owed: list[str] = field(default_factory=list)

    def conflicts(self, other: Unit) -> bool:
        """Whether the two must not run at the same time."""
        return EVERYTHING in (self.claims, other.claims) or self.claims == other.claims


def plan(items: Sequence[pytest.Item], nodes: Sequence[str]) -> list[Unit]:
    """The units of a collection, in the order to run them.

    `nodes` can be claimed; of experiments that want "a node", the longest comes first, and each gets the node that is
    free soonest, the last one first.
    """
    units: dict[Hashable, Unit] = {}
    marked: dict[Hashable, dict[str, Any]] = {}  # the marks of thousands of nodes' cases are the same
    for index, item in enumerate(items):
        together = item.parent if getattr(item, "cls", None) else index
        if together not in units:
            kind = scope.kind(item)
            if kind not in marked:
                marked[kind] = {"phase": phase(item), **_of_experiment(item)}
            units[together] = Unit(**marked[kind])
        units[together].items.append(index)
    # What runs side by side comes before what does not, and begins with what lasts longest. Classes share a costly
    # fixture: they start first, so that no worker is left with one at the end. What claims everything ends with what
    # lasts longest: that restarts most, and kubelet waits longer before each restart of a container.
    ordered = sorted(
        units.values(),
        key=lambda unit: (
            unit.phase,
            unit.claims == EVERYTHING,
            unit.lasts if unit.claims == EVERYTHING else -unit.lasts,
            -len(unit.items),
        ),
    )
    until = dict.fromkeys(reversed(nodes), 0.0)
    for unit in ordered:
        if unit.claims == A_NODE:
            unit.claims = min(until, key=until.__getitem__)
            until[unit.claims] += unit.lasts
    return ordered


def phase(item: pytest.Item) -> Phase:
    """When the test may run, by its marks."""
    experiment = item.get_closest_marker("experiment")
    if experiment and experiment.kwargs["claims"] != NOTHING:
        return Phase.EXPERIMENT
    return Phase.LAST if item.get_closest_marker("after_experiments") else Phase.READ


def _of_experiment(item: pytest.Item) -> dict[str, Any]:
    experiment = item.get_closest_marker("experiment")
    return {"lasts": LASTS_SECONDS, **experiment.kwargs} if experiment else {}


def write(units: Sequence[Unit], file: Path) -> None:
    """Hand the plan from a worker, which knows the tests' marks, to the controller, which knows only their names."""
    draft = file.with_suffix(f".{id(units)}")
    draft.write_text(json.dumps([asdict(unit) for unit in units]))
    draft.replace(file)


def read(file: Path) -> list[Unit]:
    """The plan that a worker wrote."""
    return [Unit(**{**unit, "phase": Phase(unit["phase"])}) for unit in json.loads(file.read_text())]


class Scheduler:
    """xdist's `Scheduling` protocol over units.

    `units` is called once every worker has collected, and gives what to run; it may take its time.
    """

    def __init__(self, workers: int, units: Callable[[], list[Unit]]) -> None:
        self._expected = workers
        self._units = units
        self._collections: dict[WorkerController, list[str]] = {}
        self._sent: dict[WorkerController, list[int]] = {}
        self._standing: dict[WorkerController, Unit] = {}
        self._running: dict[WorkerController, Unit] = {}
        self._reads = Reads()
        self._waiting: dict[Phase, deque[Unit]] = {Phase.EXPERIMENT: deque(), Phase.LAST: deque()}
        self.collection: list[str] | None = None

    @property
    def nodes(self) -> list[WorkerController]:
        """The workers that are known."""
        return list(self._sent)

    @property
    def collection_is_completed(self) -> bool:
        """Whether every first worker has collected."""
        return len(self._collections) >= self._expected

    @property
    def has_pending(self) -> bool:
        """Whether tests are waiting or under way."""
        return self._are_waiting or any(self._sent.values())

    @property
    def _are_waiting(self) -> bool:
        return bool(self._reads) or any(self._waiting.values())

    @property
    def tests_finished(self) -> bool:
        """Whether all is sent and released: a shutdown then lets each worker run what it still has."""
        return self.collection is not None and not self._are_waiting and not self._standing

    def add_node(self, node: WorkerController) -> None:
        """A worker has started."""
        self._sent[node] = []

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """A worker has collected."""
        self._collections[node] = list(collection)

    def schedule(self) -> None:
        """Begin, or supply a worker that came later in place of a crashed one."""
        if self.collection is None:
            first, *others = self._collections.items()
            for other, collected in others:
                difference = report_collection_diff(first[1], collected, first[0].gateway.id, other.gateway.id)
                if difference:
                    raise pytest.UsageError(difference)
            self.collection = first[1]
            for unit in self._units():
                (self._reads if unit.phase is Phase.READ else self._waiting[unit.phase]).append(unit)
        self._advance()

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:  # noqa: ARG002 # the protocol's
        """A worker has run a test."""
        self._sent[node].remove(item_index)
        unit = self._running.get(node)
        if unit and not set(unit.items) & set(self._sent[node]):
            del self._running[node]
        self._advance()

    def mark_test_pending(self, item: str) -> None:
        """Run a test once more: plugins that repeat tests ask for it."""
        index = (self.collection or []).index(item)
        self._reads.append(Unit(Phase.READ, [index]))
        self._advance()

    def remove_pending_tests_from_node(self, node: WorkerController, indices: Sequence[int]) -> None:
        """Nothing is ever taken back from a worker."""
        raise NotImplementedError

    def remove_node(self, node: WorkerController) -> str | None:
        """A worker is gone; if it crashed, the name of the test that it was running.

        What it had not run goes to others; of an experiment that was under way, the facts not yet judged.
        """
        sent, standing, running = self._sent.pop(node), self._standing.pop(node, None), self._running.pop(node, None)
        self._reads.leave(node)
        if not sent:
            return None
        crashed, *left = sent
        if standing:
            self._waiting[standing.phase].appendleft(standing)
            left = [index for index in left if index not in standing.items]
        if left and running:
            self._waiting[running.phase].appendleft(Unit(running.phase, left, running.claims))
        elif left:
            self._reads.append(Unit(Phase.READ, left))
        assert self.collection is not None
        self._advance()
        return self.collection[crashed]

    def _advance(self) -> None:
        """Supply readers, stand up what comes next, and release what may go."""
        supplied = [node for node in self.nodes if not node.shutting_down]
        for node in supplied:
            while node not in self._standing and len(self._sent[node]) < READS_AHEAD:
                read = self._reads.take(node)
                if read is None:
                    break
                self._send(node, read.items)
        if self._reads:
            return
        for node in supplied:
            if node not in self._standing and node not in self._running:
                self._stand(node)
        for node, unit in list(self._standing.items()):
            if self._may_go(unit):
                del self._standing[node]
                self._running[node] = unit
                self._send(node, unit.items[1:])
                self._stand(node)

    def _stand(self, node: WorkerController) -> None:
        """Send the first test of what comes next, which the worker will not run yet; or let the worker end."""
        unit = self._next(node)
        if unit:
            self._standing[node] = unit
            self._send(node, unit.items[:1])
        else:
            node.shutdown()

    def _next(self, node: WorkerController) -> Unit | None:
        """An experiment that can run as soon as the worker is free, its own node's next one among them.

        Where there is none, the worker keeps none from another that can run it sooner: it stands for the last look,
        unless it is the only one that does not.
        """
        experiments, last = self._waiting[Phase.EXPERIMENT], self._waiting[Phase.LAST]
        busy = [
            unit
            for known in (self._running, self._standing)
            for other, unit in known.items()
            if other is not node and unit.phase is Phase.EXPERIMENT
        ]
        free = next((unit for unit in experiments if not any(unit.conflicts(other) for other in busy)), None)
        if free:
            experiments.remove(free)
            return free
        queue = last if not experiments or (last and self._have_others(node)) else experiments
        return queue.popleft() if queue else None

    def _have_others(self, node: WorkerController) -> bool:
        """Whether there is a worker beside this one that can still run experiments."""
        standing = {other for other, unit in self._standing.items() if unit.phase is Phase.LAST}
        return any(other is not node and other not in standing and not other.shutting_down for other in self.nodes)

    def _may_go(self, unit: Unit) -> bool:
        """Whether nothing of an earlier phase, and nothing that claims the same, is waiting or under way."""
        standing = {waiting.items[0] for waiting in self._standing.values()}
        running = {index for other in self._running.values() for index in other.items}
        if any(index not in standing | running for sent in self._sent.values() for index in sent):
            return False  # a read is under way
        if unit.phase is Phase.LAST:
            earlier = [*self._running.values(), *self._standing.values(), *self._waiting[Phase.EXPERIMENT]]
            return all(other.phase is Phase.LAST for other in earlier)
        return not any(unit.conflicts(other) or other.phase is Phase.LAST for other in self._running.values())

    def _send(self, node: WorkerController, items: Sequence[int]) -> None:
        if items:
            self._sent[node].extend(items)
            node.send_runtest_some(list(items))
