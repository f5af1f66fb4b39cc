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
