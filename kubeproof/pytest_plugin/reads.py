"""Reads that wait to be run, kept together by whom they ask, a machine or the API: a worker of xdist turns to few.

To be let in by a machine, or to load the API's client, costs many times what a check does. So one worker begins with
the API, and few others come to load it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

    from kubeproof.pytest_plugin.schedule import Unit

WORTH_ENTERING = 10  # reads that are left there: fewer are done sooner by the worker that is there


class Reads:
    """Units by whom they ask, in order; those of many tests, which take longest, come before all."""

    def __init__(self) -> None:
        self._together: deque[Unit] = deque()
        self._waiting: dict[str, deque[Unit]] = {}
        self._at: dict[WorkerController, str] = {}

    def __bool__(self) -> bool:
        """Whether any wait."""
        return bool(self._together or self._waiting)

    def append(self, unit: Unit) -> None:
        """One more."""
        if len(unit.items) > 1:
            self._together.append(unit)
        else:
            self._waiting.setdefault(unit.asks, deque()).append(unit)

    def take(self, worker: WorkerController) -> Unit | None:
        """The worker's next: of those where it is, or of some where no other is; None where others go on."""
        if self._together:
            return self._together.popleft()
        place = self._place(worker)
        if place is None:
            return None
        self._at[worker] = place
        unit = self._waiting[place].popleft()
        if not self._waiting[place]:
            del self._waiting[place]
        return unit

    def leave(self, worker: WorkerController) -> None:
        """The worker is gone: what it was at is any other's."""
        self._at.pop(worker, None)

    def _place(self, worker: WorkerController) -> str | None:
        here = self._at.get(worker)
        if here in self._waiting:
            return here
        taken = {*self._at.values()}
        free = [place for place in self._waiting if place not in taken]
        if free or not self._waiting:
            return min(free, key=bool, default=None)  # what asks no machine asks the API, and is begun with
        longest = max(self._waiting, key=lambda place: len(self._waiting[place]))
        return longest if len(self._waiting[longest]) >= WORTH_ENTERING else None
