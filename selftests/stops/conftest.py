"""Runs are stopped for real."""

import pytest


@pytest.fixture(autouse=True)
def own_state() -> None:
    """A lab of another name takes its place: see the `lab` fixture."""
