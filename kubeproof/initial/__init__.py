"""Writes a first spec from the answers of Vagrant, of an API and of machines: `kubeproof init`.

It never knows how a cluster is judged, and it changes none.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from kubeproof.spec import SpecError, load
from kubeproof.spec.values import LABEL


class Impossible(Exception):
    """The named files or the answers make no spec; the message says why, and what would."""


class Unanswered(Exception):
    """Vagrant, the API or a machine does not answer; the message says how to look further."""


def refuse_to_overwrite(*files: Path) -> None:
    """Raise Impossible if one of the files exists."""
    for file in files:
        if file.exists():
            raise Impossible(f"{file} exists already: name another file with --output, or move this one away")


def as_yaml(values: dict[str, Any]) -> str:
    """The values as YAML for a person: keys in their order, innermost mappings and lists on one line."""
    return yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)


def write(output: Path, text: str) -> None:
    """Write a spec to a new file.

    Raises Impossible if the file exists or can't be written, or if the text is no valid spec.
    """
    refuse_to_overwrite(output)
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Impossible(f"{output} can't be written: {error.strerror}") from None
    try:
        load(output)
    except SpecError as error:
        output.unlink()
        raise Impossible(f"the answers make no spec that can be judged:\n{error}") from None


def name_like(text: str) -> str:
    """The valid cluster name closest to `text`."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-")
    return name if re.fullmatch(LABEL, name) else "cluster"
