"""What is written down of faults: by the bundled cluster that they are made on, a folder for each."""

from pathlib import Path
from typing import Any

import yaml

from kubeproof.process import paths

# Each by its spec.
CLUSTERS = sorted(
    paths.DEFAULT_SPEC.with_name(f"{file.parent.name}.yaml") for file in Path(__file__).parent.glob("*/faults.yaml")
)


def faults(cluster: Path) -> list[dict[str, Any]]:
    """The batches of faults of that cluster."""
    found: list[dict[str, Any]] = _written(cluster, "faults")
    return found


def experiments(cluster: Path) -> dict[str, dict[str, list[str]]]:
    """Which facts of which experiment are red where it goes wrong in what way."""
    found: dict[str, dict[str, list[str]]] = _written(cluster, "experiments")
    return found


def _written(cluster: Path, what: str) -> Any:
    return yaml.safe_load(Path(__file__).with_name(cluster.stem).joinpath(f"{what}.yaml").read_text())
