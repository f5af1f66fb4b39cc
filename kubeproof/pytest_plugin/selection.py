"""The choice of checks that a spec lets be judged, made at collection from each check's marks and fixtures."""

import functools
from collections.abc import Callable, Iterator, Sequence

import pytest

from kubeproof.pytest_plugin.cases import check_name, fixtures, kind
from kubeproof.spec import Existing, Spec
from kubeproof.spec.needs import is_met, reason
from kubeproof.spec.pairs import MOST_NODES, NEIGHBOURS

# The conditions that a fixture puts on the spec.
NEEDS = {
    "node": ["nodes"],
    "pair": ["nodes"],
    "worker_node": ["workers"],
    "claims": ["workers"],
    "victim": ["workers", "control_plane"],
    "experiment": ["traffic_image"],
    "margin": ["experiments.margin_seconds"],
    "machine": ["ssh == true"],
    "enter": ["ssh == true"],
    "control_plane": ["ssh == true", "control_plane"],
}
CHANGING = ("experiment", "after_experiments", "writes")


def divide(items: Sequence[pytest.Item], spec: Spec, *, may_change: bool) -> tuple[list[pytest.Item], dict[str, str]]:
    """The cases to be judged, and the reasons why other checks are not, by name.

    A name has its parameters if only some cases of the check are left out. Neither result contains checks that the spec
    leaves out or accepts, or that other checks replace.
    Raises pytest.UsageError for a mark that names a key that no spec has.
    """
    accepted = [name for name, risk in spec.accepted_risks.items() if not risk.has_run_out]
    excluded = {*spec.left_out, *accepted}
    met = functools.cache(functools.partial(is_met, spec))  # the cases of every node ask the same
    kinds = {item: kind(item) for item in items}
    expected = {
        key: item
        for key, item in {key: item for item, key in kinds.items()}.items()  # one of each kind: its cases are alike
        if check_name(item) not in excluded and not any(met(mark.args[0]) for mark in item.iter_markers("unless"))
    }
    read_only = isinstance(spec, Existing) and not may_change
    why = {
        key: _why_not(item, spec, met) or (_change(item, spec) if read_only else "") for key, item in expected.items()
    }
    reasons = {item: why[key] for item, key in kinds.items() if key in why}
    judged = [item for item, text in reasons.items() if not text]
    partly = {check_name(expected[key]) for key, text in why.items() if not text}
    return judged, {
        item.name.removeprefix("test_") if check_name(item) in partly else check_name(item): text
        for item, text in reasons.items()
        if text
    } | _pairs_left_out(judged, spec)


def needs(item: pytest.Item) -> Iterator[str]:
    """Every condition that a check's fixtures and marks put on the spec."""
    for fixture in fixtures(item):
        yield from NEEDS.get(fixture, ())
    for mark in item.iter_markers("needs"):
        yield from mark.args


def _pairs_left_out(judged: Sequence[pytest.Item], spec: Spec) -> dict[str, str]:
    if len(spec.nodes) <= MOST_NODES:
        return {}
    text = f"of {len(spec.nodes)} nodes in a ring each asks the next {NEIGHBOURS}"
    names = {check_name(item) for item in judged if "pair" in fixtures(item)}
    return {f"{name}[all other pairs]": text for name in sorted(names)}


def _why_not(item: pytest.Item, spec: Spec, met: Callable[[str], bool]) -> str:
    try:
        unmet = next((need for need in needs(item) if not met(need)), "")
    except AttributeError as error:
        raise pytest.UsageError(f"{item.nodeid} needs a key that no spec has: {error}") from None
    if unmet:
        return reason(spec, unmet)
    # pytest's own mark on a test without a case.
    alone = "pair" in fixtures(item) and item.get_closest_marker("skip")
    return "the spec lists one node" if alone else ""


def _change(item: pytest.Item, spec: Spec) -> str:
    changes = "experiment" in fixtures(item) or any(item.get_closest_marker(mark) for mark in CHANGING)
    return f"it changes the cluster: --allow-disruption {spec.name} lets it" if changes else ""
