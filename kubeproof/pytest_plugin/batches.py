"""Very many nodes: an item stands for a check of up to 50 of them, and becomes one test of each when it is run.

pytest makes an object of each item, and xdist tells of each by itself: with a thousand nodes that took a gigabyte and
half a minute, of each worker, before anything was judged.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from kubeproof.pytest_plugin.cases import case, parameters
from kubeproof.pytest_plugin.stash import BATCH

MOST_ALONE = 64  # nodes, each of which has items of its own
SIZE = 50  # fewer than a worker keeps entered: it asks all of them before it turns to the next


@dataclass(frozen=True)
class Batch:
    """Some values of a parameter, judged one after the other; it is named for the first and the last."""

    values: Sequence[Any]

    def __str__(self) -> str:
        """As a case's name has it."""
        return f"{case(self.values[0])}..{case(self.values[-1])}"


def are_wanted(config: pytest.Config, nodes: Sequence[str]) -> bool:
    """Whether there are so many nodes, and the person names none of them, nor wants what failed last."""
    named = " ".join([*config.args, config.option.keyword])
    again = config.getoption("lf", default=False) or config.getoption("failedfirst", default=False)
    return len(nodes) > MOST_ALONE and not again and not any(node in named for node in nodes)


def of(values: Sequence[Any]) -> list[Batch]:
    """The values of a parameter in batches."""
    return [Batch(values[first : first + SIZE]) for first in range(0, len(values), SIZE)]


def stands_for_more(item: pytest.Item) -> bool:
    """Whether the item is a batch's."""
    return bool(_batches(item))


def count(item: pytest.Item) -> int:
    """How many tests the item becomes."""
    return math.prod(len(values) for values in _batches(item).values())


def tests(item: pytest.Item) -> list[pytest.Item]:
    """The tests that an item becomes; none if it is one itself."""
    batches = _batches(item)
    if not batches:
        return []
    assert isinstance(item, pytest.Function)
    item.config.stash[BATCH] = batches
    try:
        made: list[pytest.Item] = item.ihook.pytest_pycollect_makeitem(
            collector=item.parent, name=item.originalname, obj=item.function
        )
    finally:
        item.config.stash[BATCH] = {}
    others = {name: value for name, value in parameters(item).items() if name not in batches}
    return [one for one in made if others.items() <= parameters(one).items()]


def _batches(item: pytest.Item) -> dict[str, Sequence[Any]]:
    return {name: value.values for name, value in parameters(item).items() if isinstance(value, Batch)}
