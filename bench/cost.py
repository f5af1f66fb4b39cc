"""What something costs: seconds of the clock, which others on the machine make longer, and of its processors."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel


@dataclass
class Cost:
    """Seconds; `processor` is of this process and of those that it started and that have ended."""

    clock: float = 0
    processor: float = 0

    def __add__(self, other: Cost) -> Cost:
        """Both, one after the other."""
        return Cost(self.clock + other.clock, self.processor + other.processor)


class Figure(BaseModel):
    """The median of several runs, and how far they were apart."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, seen: Sequence[float]) -> Self:
        """Of what the runs took."""
        median, least, most = (round(value, 3) for value in (statistics.median(seen), min(seen), max(seen)))
        return cls(median=median, least=least, most=most)


@contextmanager
def measured() -> Iterator[Cost]:
    """What the block costs, once it has ended."""
    cost, clock, processor = Cost(), time.monotonic(), _processor()
    yield cost
    cost.clock, cost.processor = time.monotonic() - clock, _processor() - processor


def _processor() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
