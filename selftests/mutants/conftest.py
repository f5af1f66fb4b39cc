"""Mutants are judged in the machine's real lab."""

import pytest


@pytest.fixture(autouse=True)
def own_state() -> None:
    """Not a state of their own: a whole cluster is brought up for each."""
