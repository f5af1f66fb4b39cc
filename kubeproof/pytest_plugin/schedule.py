"""The order of tests: units that run together, the phase of each, and the node that it claims.

Three phases: units that claim nothing, in parallel; then experiments, as whole classes that claim a node or the
cluster, side by side if their claims differ; then a last look at the baseline. The scheduler keeps this order.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import pytest

from kubeproof.pytest_plugin import cases

CLAIMS = EVERYTHING, A_NODE, NOTHING = "the cluster", "a node", "nothing"
PARAMETERS = {"claims", "lasts"}
LASTS_SECONDS = 15  # the time of an experiment whose mark states none


class Phase(IntEnum):
    """The part of the run in which a unit may run."""

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
    tests: int = 0  # the number that the items become
    asks: str = ""  # the machine that a single test asks, or collection.SEVERAL
    # Machine, script and step, if the test asks that machine alone: it can be judged without a cluster.
    responsible: list[str] = field(default_factory=list)

    def conflicts(self, other: Unit) -> bool:
        """Whether the two must not run at the same time."""
        return EVERYTHING in (self.claims, other.claims) or self.claims == other.claims


def plan(items: Sequence[pytest.Item], nodes: Sequence[str]) -> list[Unit]:
    """The units of a collection, in the order to run them.

    An experiment that claims "a node" gets that one of `nodes` which is free soonest, from the last to the first.
    """
    units: dict[Hashable, Unit] = {}
    marked: dict[Hashable, dict[str, Any]] = {}  # thousands of cases share their marks
    for index, item in enumerate(items):
        together = item.parent if getattr(item, "cls", None) else index
        if together not in units:
            kind = cases.kind(item)
            if kind not in marked:
                experiment = item.get_closest_marker("experiment")
                details = {"lasts": LASTS_SECONDS, **experiment.kwargs} if experiment else {}
                marked[kind] = {"phase": phase(item), **details}
            units[together] = Unit(**marked[kind])
        units[together].items.append(index)
    # Units that run side by side come before those that run alone, the longest first. Classes share a costly fixture:
    # they start first, so that no worker is left with one at the end. Of the units that claim everything, the longest
    # comes last: it restarts most containers, and kubelet waits longer before each further restart of one.
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
    """The phase of a test, by its marks; raises pytest.UsageError for a wrong mark `experiment`."""
    experiment = item.get_closest_marker("experiment")
    if experiment:
        claims, unknown = experiment.kwargs.get("claims"), [*experiment.args, *experiment.kwargs.keys() - PARAMETERS]
        if claims not in CLAIMS or unknown:
            raise pytest.UsageError(
                f"{item.nodeid}: the mark experiment takes claims, one of {CLAIMS}, and lasts, in seconds; it has "
                f"{unknown or claims}"
            )
        if claims != NOTHING:
            return Phase.EXPERIMENT
    return Phase.LAST if item.get_closest_marker("after_experiments") else Phase.READ
