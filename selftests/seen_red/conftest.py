"""Faults are made on a real cluster."""

import pytest


@pytest.fixture(autouse=True)
def own_state() -> None:
    """Not a state of their own: one cluster is brought up for all of them, and kept."""
