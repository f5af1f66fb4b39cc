"""A cluster beside the one that may be kept on this machine: its lab has a name of its own, its ssh other ports."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml

from kubeproof.process import paths
from kubeproof.spec import load


def described(ports: int, spec: Path = paths.DEFAULT_SPEC) -> dict[str, Any]:
    """A bundled cluster's spec, its machines' ssh that many ports of the host further up."""
    document: dict[str, Any] = json.loads(load(spec).document())  # whole: a bundled spec may extend another one
    for node in document["nodes"]:
        node["ssh_port"] += ports
    return document


def written(document: dict[str, Any], folder: Path) -> Path:
    """The spec in a file of that folder."""
    file = folder / "spec.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return file


def environment(lab: str) -> dict[str, str]:
    """This process's, for a lab of that name."""
    return {**os.environ, "KUBEPROOF_LAB": lab}
