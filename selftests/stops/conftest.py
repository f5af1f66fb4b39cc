"""Self-tests that stop real runs."""

from pathlib import Path

import pytest

from selftests import beside


@pytest.fixture(autouse=True)
def own_state() -> None:
    """All tests share the lab of the `lab` fixture, instead of a state folder for each test."""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default cluster's spec, with other ssh ports on the host."""
    return beside.written(beside.described(ports=1000), tmp_path_factory.mktemp("spec"))
