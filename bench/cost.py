"""Costs in seconds: of the clock, which other processes make longer, and of the processors."""

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
    """Seconds; `processor` counts this process and its descendants that have ended."""

    clock: float = 0
    processor: float = 0

    def __add__(self, other: Cost) -> Cost:
        """The cost of both, one after the other."""
        return Cost(self.clock + other.clock, self.processor + other.processor)


class Figure(BaseModel):
    """The median of several runs, and their range."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """The figure of the runs' values."""
        median, least, most = (round(value, 3) for value in (statistics.median(values), min(values), max(values)))
        return cls(median=median, least=least, most=most)


@contextmanager
def measured() -> Iterator[Cost]:
    """The cost of the block; it is complete once the block has ended."""
    cost, clock, processor = Cost(), time.monotonic(), _processor()
    yield cost
    cost.clock, cost.processor = time.monotonic() - clock, _processor() - processor


def _processor() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
