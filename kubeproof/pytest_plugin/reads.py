"""The queue of reads, grouped by the machine that they ask, or the API, so that a worker of xdist enters few machines.

A login, or loading the API's client, costs many times what a check does. So one worker begins with the API, and few
others ever load its client.
"""

from collections import deque

from xdist.workermanage import WorkerController

from kubeproof.pytest_plugin.schedule import Unit

WORTH_ENTERING = 10  # reads that wait for a machine: fewer are done sooner by the worker that is already there


class Reads:
    """Units in order by the machine that they ask; units of many tests, which take longest, come first."""

    def __init__(self) -> None:
        self._classes: deque[Unit] = deque()
        self._waiting: dict[str, deque[Unit]] = {}
        self._places: dict[WorkerController, str] = {}

    def __bool__(self) -> bool:
        """Whether any wait."""
        return bool(self._classes or self._waiting)

    def append(self, unit: Unit) -> None:
        """Add a unit."""
        if len(unit.items) > 1:
            self._classes.append(unit)
        else:
            self._waiting.setdefault(unit.asks, deque()).append(unit)

    def take(self, worker: WorkerController) -> Unit | None:
        """The worker's next unit: of its machine, or of a free one; None if other workers finish the rest."""
        if self._classes:
            return self._classes.popleft()
        place = self._next_place(worker)
        if place is None:
            return None
        self._places[worker] = place
        unit = self._waiting[place].popleft()
        if not self._waiting[place]:
            del self._waiting[place]
        return unit

    def leave(self, worker: WorkerController) -> None:
        """The worker is gone: its machine is free for others."""
        self._places.pop(worker, None)

    def _next_place(self, worker: WorkerController) -> str | None:
        current = self._places.get(worker)
        if current in self._waiting:
            return current
        taken = {*self._places.values()}
        free = [place for place in self._waiting if place not in taken]
        if free or not self._waiting:
            return min(free, key=bool, default=None)  # the API, which has no name here, comes first
        longest = max(self._waiting, key=lambda place: len(self._waiting[place]))
        return longest if len(self._waiting[longest]) >= WORTH_ENTERING else None
