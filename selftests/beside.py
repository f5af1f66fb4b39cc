"""A second cluster on this host: its lab has another name and its ssh other ports, so that a kept cluster stays."""

import json
import os
from pathlib import Path
from typing import Any

import yaml

from kubeproof.process import paths
from kubeproof.spec import load


def described(ports: int, spec: Path = paths.DEFAULT_SPEC) -> dict[str, Any]:
    """The document of a bundled spec, with each ssh port raised by `ports`."""
    document: dict[str, Any] = json.loads(load(spec).document())  # whole: a bundled spec may extend another one
    for node in document["nodes"]:
        node["ssh_port"] += ports
    return document


def written(document: dict[str, Any], folder: Path) -> Path:
    """Write the spec to that folder, and return its file."""
    file = folder / "spec.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return file


def environment(lab: str) -> dict[str, str]:
    """The environment of this process, for a lab of that name."""
    return {**os.environ, "KUBEPROOF_LAB": lab}
