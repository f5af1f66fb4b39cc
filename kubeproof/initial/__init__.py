"""Writes a first spec of what is there, by asking it: `kubeproof init`.

What is written is what was told. What nobody tells is left out, or, where a spec must state it, taken from the default
spec with a word.
"""

import re
from pathlib import Path

from kubeproof.spec import SpecError, load
from kubeproof.spec.values import LABEL


class Impossible(Exception):
    """What the person named makes no spec; the message says why, and what would."""


class Unanswered(Exception):
    """What was asked does not answer; the message says how to look further."""


def refuse_to_overwrite(*files: Path) -> None:
    """Raise Impossible if one of the files is there."""
    for file in files:
        if file.exists():
            raise Impossible(f"{file} is there already: name another with --output, or move it away")


def write(output: Path, text: str) -> None:
    """Write a spec to a file that is not there yet, if it is one.

    Raises Impossible if it is none, or the file can't be written.
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
        raise Impossible(f"what was told makes no spec that can be judged:\n{error}") from None


def name_like(text: str) -> str:
    """A cluster's name that is most like `text`."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-")
    return name if re.fullmatch(LABEL, name) else "cluster"
