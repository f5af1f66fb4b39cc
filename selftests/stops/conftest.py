"""Runs are stopped for real."""

from pathlib import Path

import pytest
import yaml

from kubeproof import paths


@pytest.fixture(autouse=True)
def own_state() -> None:
    """A lab of another name takes its place: see the `lab` fixture."""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default cluster, its ssh on other ports of the host."""
    document = yaml.safe_load(paths.DEFAULT_SPEC.read_text())
    document["scripts"] = str(paths.DEFAULT_SPEC.parent.parent)
    for node in document["nodes"]:
        node["ssh_port"] += 1000
    file = tmp_path_factory.mktemp("spec") / "spec.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return file
