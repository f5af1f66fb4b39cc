"""What of the inventory a spec lets be judged: known at collection, from each check's marks and fixtures."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import pytest

from kubeproof.spec import Existing, Spec

MARKERS = (
    "needs(*paths): what the spec must state for the check to be judged, such as networks.pod or components.calico",
    "unless(path): not judged where the spec states that, since other checks then are",
    "writes: the check makes objects of its own in the cluster; in one that exists only with --allow-disruption",
)
# What a fixture is made of.
NEEDS = {
    "node": ["nodes"],
    "pair": ["nodes"],
    "worker_node": ["workers"],
    "claims": ["workers"],
    "victim": ["workers", "control_plane"],
    "experiment": ["traffic_image"],
    "margin": ["experiments.margin_seconds"],
    "machine": ["ssh"],
    "enter": ["ssh"],
    "control_plane": ["ssh", "control_plane"],
}
SAID = {
    "ssh": "the spec names no ssh_config",
    "nodes": "the spec lists no nodes",
    "workers": "the spec lists no workers",
}
MOST_NODES_IN_PAIRS = 12  # 132 ordered pairs: beyond that their number outgrows that of all other checks
NEIGHBOURS = 3
CHANGING = ("experiment", "after_experiments", "writes")


def check_name(item: pytest.Item) -> str:
    """The stable name of a check: its test's, without the prefix and the parameters."""
    return str(getattr(item, "originalname", item.name)).removeprefix("test_")


def parameters(item: pytest.Item) -> dict[str, Any]:
    """The parameters of a check's case, by name."""
    return dict(getattr(getattr(item, "callspec", None), "params", {}))


def case(value: object) -> str:
    """A parameter as the case's name has it: a node's name, or a pair's."""
    return "-to-".join(value) if isinstance(value, tuple) else str(value)


def kind(item: pytest.Item) -> Hashable:
    """What the cases of a test have in common that are marked alike: it is the same of each node."""
    marks = getattr(getattr(item, "callspec", None), "marks", ())
    return item.parent, getattr(item, "originalname", item.name), tuple(id(mark) for mark in marks)


def pairs(nodes: Sequence[str]) -> list[tuple[str, str]]:
    """The ordered pairs of nodes that are judged: all, or of many nodes each with the next three, in a ring.

    So each node is asked by three others and asks three others, and the whole grows as the nodes do.
    """
    if len(nodes) <= MOST_NODES_IN_PAIRS:
        return list(itertools.permutations(nodes, 2))
    reach = range(1, NEIGHBOURS + 1)
    return [(one, nodes[(place + steps) % len(nodes)]) for place, one in enumerate(nodes) for steps in reach]


def divide(checks: Sequence[pytest.Item], spec: Spec, *, may_change: bool) -> tuple[list[pytest.Item], dict[str, str]]:
    """The checks that are to be judged, and why the others are not, by name.

    A name has its parameters where only some of its cases are left out. What the spec itself leaves out or accepts, and
    what others stand for, is in neither.
    Raises pytest.UsageError for a mark that names what no spec has.
    """
    unexpected = {*spec.left_out, *spec.accepted_risks}
    states = functools.cache(spec.states)  # every node asks it again
    kinds = {item: kind(item) for item in checks}
    expected = {
        one: item
        for item, one in kinds.items()
        if check_name(item) not in unexpected and not _is_stood_for(item, states)
    }
    disruptive = isinstance(spec, Existing) and not may_change
    why = {
        one: _why_not(item, states) or (_changes(item, spec) if disruptive else "") for one, item in expected.items()
    }
    reasons = {item: why[one] for item, one in kinds.items() if one in why}
    judged = [item for item, reason in reasons.items() if not reason]
    partly = {check_name(expected[one]) for one, reason in why.items() if not reason}
    return judged, {
        item.name.removeprefix("test_") if check_name(item) in partly else check_name(item): reason
        for item, reason in reasons.items()
        if reason
    } | _pairs_left_out(judged, spec)


def _pairs_left_out(judged: Sequence[pytest.Item], spec: Spec) -> dict[str, str]:
    if len(spec.nodes) <= MOST_NODES_IN_PAIRS:
        return {}
    reason = f"of {len(spec.nodes)} nodes in a ring each asks the next {NEIGHBOURS}"
    of_pairs = {check_name(item) for item in judged if "pair" in getattr(item, "fixturenames", ())}
    return {f"{name}[all other pairs]": reason for name in sorted(of_pairs)}


def is_of(item: pytest.Item, machines: Sequence[str]) -> bool:
    """Whether a check is of one of those machines, or of the way between one of them and another."""
    known = parameters(item)
    named = [known.get("node"), known.get("worker_node"), *known.get("pair", ())]
    return any(name in machines for name in named)


def needs(item: pytest.Item) -> Iterator[str]:
    """Every path that a check's fixtures and marks say it needs."""
    for fixture in getattr(item, "fixturenames", ()):
        yield from NEEDS.get(fixture, ())
    for mark in item.iter_markers("needs"):
        yield from mark.args


def _is_stood_for(item: pytest.Item, states: Callable[[str], bool]) -> bool:
    return any(states(mark.args[0]) for mark in item.iter_markers("unless"))


def _why_not(item: pytest.Item, states: Callable[[str], bool]) -> str:
    try:
        missing = next((path for path in needs(item) if not states(path)), "")
    except AttributeError as error:
        raise pytest.UsageError(f"{item.nodeid} needs what no spec has: {error}") from None
    if missing:
        return SAID.get(missing, f"the spec does not state {missing}")
    # pytest's own mark on a test of no case.
    alone = "pair" in getattr(item, "fixturenames", ()) and item.get_closest_marker("skip")
    return "the spec lists one node" if alone else ""


def _changes(item: pytest.Item, spec: Spec) -> str:
    changes = "experiment" in getattr(item, "fixturenames", ()) or any(item.get_closest_marker(one) for one in CHANGING)
    return f"it changes the cluster: --allow-disruption {spec.name} lets it" if changes else ""
