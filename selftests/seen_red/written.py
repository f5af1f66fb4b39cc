"""Reads the faults and experiments of each bundled cluster from the folder of its name."""

from pathlib import Path
from typing import Any

import yaml

from kubeproof.process import paths

# The specs of the bundled clusters that have faults.
CLUSTERS = sorted(
    paths.DEFAULT_SPEC.with_name(f"{file.parent.name}.yaml") for file in Path(__file__).parent.glob("*/faults.yaml")
)


def faults(cluster: Path) -> list[dict[str, Any]]:
    """The batches of the cluster's faults.yaml."""
    batches: list[dict[str, Any]] = _written(cluster, "faults")
    return batches


def experiments(cluster: Path) -> dict[str, dict[str, list[str]]]:
    """The red checks by way of spoiling and experiment, from the cluster's experiments.yaml."""
    checks: dict[str, dict[str, list[str]]] = _written(cluster, "experiments")
    return checks


def _written(cluster: Path, what: str) -> Any:
    return yaml.safe_load(Path(__file__).with_name(cluster.stem).joinpath(f"{what}.yaml").read_text())
