"""Batches: of very many nodes, one item stands for a check of up to 50 nodes, and becomes a test of each when it runs.

pytest makes an object of each item, and xdist reports each: with a thousand nodes, each worker took a gigabyte and half
a minute before anything was judged.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from kubeproof.pytest_plugin.cases import case, parameters
from kubeproof.pytest_plugin.stash import BATCH

MOST_ALONE = 64  # nodes: up to so many have items of their own
SIZE = 50  # fewer than the machines that a worker keeps entered: it asks all of a batch before it turns to the next


@dataclass(frozen=True)
class Batch:
    """Some values of a parameter, judged one after another."""

    values: Sequence[Any]

    def __str__(self) -> str:
        """The first and the last value, as a case's name has them."""
        return f"{case(self.values[0])}..{case(self.values[-1])}"


def are_wanted(config: pytest.Config, nodes: Sequence[str]) -> bool:
    """Whether there are so many nodes, and the person asks for no single one, nor for what failed last."""
    words = " ".join([*config.args, config.option.keyword])
    again = config.getoption("lf", default=False) or config.getoption("failedfirst", default=False)
    return len(nodes) > MOST_ALONE and not again and not any(node in words for node in nodes)


def of(values: Sequence[Any]) -> list[Batch]:
    """The values of a parameter in batches."""
    return [Batch(values[first : first + SIZE]) for first in range(0, len(values), SIZE)]


def stands_for_more(item: pytest.Item) -> bool:
    """Whether the item has a batch."""
    return bool(_batches(item))


def count(item: pytest.Item) -> int:
    """The number of tests that the item becomes."""
    return math.prod(len(values) for values in _batches(item).values())


def tests(item: pytest.Item) -> list[pytest.Item]:
    """The tests that an item becomes; none if it is a single test."""
    batches = _batches(item)
    if not batches:
        return []
    assert isinstance(item, pytest.Function)
    item.config.stash[BATCH] = batches
    try:
        collected: list[pytest.Item] = item.ihook.pytest_pycollect_makeitem(
            collector=item.parent, name=item.originalname, obj=item.function
        )
    finally:
        item.config.stash[BATCH] = {}
    fixed = {name: value for name, value in parameters(item).items() if name not in batches}
    return [test for test in collected if fixed.items() <= parameters(test).items()]


def _batches(item: pytest.Item) -> dict[str, Sequence[Any]]:
    return {name: value.values for name, value in parameters(item).items() if isinstance(value, Batch)}
