"""Runs are stopped for real."""

from pathlib import Path

import pytest

from selftests import beside


@pytest.fixture(autouse=True)
def own_state() -> None:
    """A lab of another name takes its place: see the `lab` fixture."""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default cluster, its ssh on other ports of the host."""
    return beside.written(beside.described(ports=1000), tmp_path_factory.mktemp("spec"))
