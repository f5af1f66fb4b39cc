"""xdist's scheduler over units: it keeps phases and claimed nodes apart, with any number of workers.

An xdist worker runs a test only once it knows its next one. So the first test of the unit that comes next is sent
ahead: the worker then finishes its tests, and the new unit waits until the rest of it is sent. A phase, or a claimed
node, is held closed without a lock and without polling.
"""

from collections import deque
from collections.abc import Callable, Sequence

import pytest
from xdist.report import report_collection_diff
from xdist.workermanage import WorkerController

from kubeproof.pytest_plugin.reads import Reads
from kubeproof.pytest_plugin.schedule import Phase, Unit

READS_AHEAD = 3  # tests that a worker is kept supplied with while it only reads


class Scheduler:
    """xdist's `Scheduling` protocol over units.

    `units` is called once, after every worker has collected, and returns the units to run; it may take minutes.
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
        """The workers that have started."""
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
        """Whether every test is sent and released: a shutdown then lets each worker run its last ones."""
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
            (first, collection), *rest = self._collections.items()
            for worker, collected in rest:
                difference = report_collection_diff(collection, collected, first.gateway.id, worker.gateway.id)
                if difference:
                    raise pytest.UsageError(difference)
            self.collection = collection
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
        """Run a test once more, for a plugin that repeats tests."""
        index = (self.collection or []).index(item)
        self._reads.append(Unit(Phase.READ, [index]))
        self._advance()

    def remove_pending_tests_from_node(self, node: WorkerController, indices: Sequence[int]) -> None:
        """Refuse: no test is taken back from a worker."""
        raise NotImplementedError

    def remove_node(self, node: WorkerController) -> str | None:
        """A worker is gone; return the name of the test that it was running, if it crashed.

        Other workers get its tests that have not run, among them the rest of an experiment.
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
        """Supply readers, let the next units stand, and release those that may go."""
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
        """Send the first test of the next unit, which the worker does not run yet; if there is none, end the worker."""
        unit = self._next(node)
        if unit:
            self._standing[node] = unit
            self._send(node, unit.items[:1])
        else:
            node.shutdown()

    def _next(self, node: WorkerController) -> Unit | None:
        """The next unit for a worker: an experiment that can run as soon as the worker is free.

        If no experiment is free, the worker waits for the final phase, so that it does not block one that another
        worker could start sooner. The last remaining worker must not do that.
        """
        experiments, last = self._waiting[Phase.EXPERIMENT], self._waiting[Phase.LAST]
        busy = [
            unit
            for units in (self._running, self._standing)
            for worker, unit in units.items()
            if worker is not node and unit.phase is Phase.EXPERIMENT
        ]
        free = next((unit for unit in experiments if not any(map(unit.conflicts, busy))), None)
        if free:
            experiments.remove(free)
            return free
        queue = last if not experiments or (last and self._others_remain(node)) else experiments
        return queue.popleft() if queue else None

    def _others_remain(self, node: WorkerController) -> bool:
        """Whether another worker can still run experiments."""
        final = {worker for worker, unit in self._standing.items() if unit.phase is Phase.LAST}
        return any(not worker.shutting_down for worker in {*self.nodes} - {node} - final)

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
