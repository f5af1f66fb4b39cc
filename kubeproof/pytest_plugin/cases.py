"""pytest's items as checks and their cases.

A check is a test function; a case is one item of it, on a node or for a pair of nodes.
"""

from collections.abc import Hashable
from typing import Any

import pytest

PREFIX = "kubeproof_"  # of every fixture
AGAIN = "again"  # the parameter of a case that looks a second time, after all experiments


def is_check(item: pytest.Item) -> bool:
    """Whether the item is a case of a check, and no other test: it needs the cluster."""
    return "cluster" in fixtures(item)


def fixtures(item: pytest.Item) -> list[str]:
    """The names, without the prefix, of kubeproof's fixtures that an item needs, directly or not."""
    return [name.removeprefix(PREFIX) for name in getattr(item, "fixturenames", ()) if name.startswith(PREFIX)]


def check_name(item: pytest.Item) -> str:
    """The stable name of a check: its function's, without the prefix and the parameters."""
    return str(getattr(item, "originalname", item.name)).removeprefix("test_")


def parameters(item: pytest.Item) -> dict[str, Any]:
    """The parameters of a case, by name; those of kubeproof's fixtures without the prefix."""
    values = getattr(getattr(item, "callspec", None), "params", {})
    return {name.removeprefix(PREFIX): value for name, value in values.items()}


def case(value: object) -> str:
    """A parameter as it stands in a case's name: a node's name, or that of a pair."""
    return "-to-".join(value) if isinstance(value, tuple) else str(value)


def kind(item: pytest.Item) -> Hashable:
    """A key that is the same for all cases of a check with the same marks, whatever their node."""
    marks = getattr(getattr(item, "callspec", None), "marks", ())
    return item.parent, getattr(item, "originalname", item.name), tuple(id(mark) for mark in marks)


def is_of(item: pytest.Item, machines: list[str]) -> bool:
    """Whether a case is of one of those machines, or of the way between one of them and another."""
    values = parameters(item)
    named = [values.get("node"), values.get("worker_node"), *values.get("pair", ())]
    return any(name in machines for name in named)
