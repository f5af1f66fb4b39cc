"""Reads that wait to be run, kept together by the machine that they ask: a worker of xdist enters few machines.

Being let in costs a machine, and who asks, many times what a check does.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

    from kubeproof.schedule import Unit

WORTH_ENTERING = 10  # reads that are left of a machine: fewer are done sooner by the worker that is there


class Reads:
    """Units by machine, in order; those that ask none of their own are nobody's."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Unit]] = {}
        self._at: dict[WorkerController, str] = {}

    def __bool__(self) -> bool:
        """Whether any wait."""
        return bool(self._waiting)

    def append(self, unit: Unit) -> None:
        """One more."""
        self._waiting.setdefault(unit.asks, deque()).append(unit)

    def take(self, worker: WorkerController) -> Unit | None:
        """The worker's next: of the machine where it is, or of one where no other is; None where others go on."""
        place = self._place(worker)
        if place is None:
            return None
        self._at[worker] = place
        unit = self._waiting[place].popleft()
        if not self._waiting[place]:
            del self._waiting[place]
        return unit

    def leave(self, worker: WorkerController) -> None:
        """The worker is gone: its machine is any other's."""
        self._at.pop(worker, None)

    def _place(self, worker: WorkerController) -> str | None:
        here = self._at.get(worker)
        if here in self._waiting:
            return here
        taken = {place for place in self._at.values() if place}
        free = next((place for place in self._waiting if place not in taken), None)
        if free is not None or not self._waiting:
            return free
        longest = max(self._waiting, key=lambda place: len(self._waiting[place]))
        return longest if len(self._waiting[longest]) >= WORTH_ENTERING else None
