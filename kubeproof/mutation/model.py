"""Mutants: edits of the provisioning scripts that people really make, and the check that must name each."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from kubeproof.results.blame import CONTROL_PLANE
from kubeproof.spec.model import Section
from kubeproof.spec.scripts import SCRIPTS
from kubeproof.spec.values import Text

VAGRANTFILE = "Vagrantfile"
EDITS = ("drop", "replace", "silence", "swap", "undo")
# What does nothing by itself: comments, the ends and middles of blocks and here-documents, and a step's announcement,
# which the self-tests hold against the checks' claims.
IDLE = re.compile(r"\s*(#.*|\}?,?|fi|done|else|esac|EOF|---|end( if \w+)?|\{|step [\w-]+)")

Role = Literal["worker", "control-plane"]


class MutantsError(Exception):
    """Mutants that can't be used; the message names file, mutant and what would be right."""


class Mutant(Section):
    """One edit of one file, and what must come of it.

    Exactly one edit: `drop` takes a text out; `replace` puts `by` in its place; `silence` makes a command fail without
    a word; `swap` exchanges two texts; `undo` runs a command when the script is done. A text is found as it stands, and
    must be there once.

    `check` is to be named first, with `step` as the one that owes it; with `bring_up` as the check, the bring-up must
    fail and name the step, or have `says` in its message. `equivalent` says instead why nothing can be seen of the edit
    with the lab's machines, and `seen_by` names a self-test that is red with it all the same.

    `role` is the machine that is judged; without it, a control plane for its own script and a worker for the others.
    `machines` is how many of them are made side by side, for what is only wrong of two that are alike.
    Those in the `sample` are judged where there is no time for all.
    """

    name: Text
    file: Text
    how: Text
    drop: Text | None = None
    replace: Text | None = None
    by: str | None = None
    silence: Text | None = None
    swap: tuple[Text, Text] | None = None
    undo: Text | None = None
    role: Role | None = None
    machines: Literal[1, 2] = 1
    check: Text | None = None
    step: Text | None = None
    says: Text | None = None
    equivalent: Text | None = None
    seen_by: Text | None = None
    sample: bool = False

    @model_validator(mode="before")
    @classmethod
    def _pairs(cls, document: object) -> object:
        """YAML knows no tuples."""
        if isinstance(document, dict) and isinstance(document.get("swap"), list):
            return {**document, "swap": tuple(document["swap"])}
        return document

    @model_validator(mode="after")
    def _whole(self) -> Self:
        edits = [edit for edit in EDITS if getattr(self, edit) is not None]
        problem = ""
        if self.file not in (*SCRIPTS, VAGRANTFILE):
            problem = f"file must be one of {', '.join((*SCRIPTS, VAGRANTFILE))}"
        elif len(edits) != 1:
            problem = f"exactly one of {', '.join(EDITS)} must be there, not {' and '.join(edits) or 'none'}"
        elif (self.replace is None) != (self.by is None):
            problem = "replace and by go together"
        elif (self.equivalent is None) == (self.check is None):
            problem = "one of check and equivalent must be there, and not both"
        elif self.seen_by and not self.equivalent:
            problem = "seen_by goes with equivalent"
        elif self.check and not self.step and not self.says:
            problem = "a check's mutant needs the step to blame, or what the bring-up says"
        if problem:
            raise PydanticCustomError("mutant", "{problem}", {"problem": problem})
        return self

    @property
    def where(self) -> Role:
        """The machine that is provisioned and judged."""
        return self.role or ("control-plane" if self.file == CONTROL_PLANE else "worker")

    @property
    def places(self) -> tuple[str, ...]:
        """The texts of the file that the edit touches."""
        return self.swap or tuple(text for text in (self.drop, self.replace, self.silence) if text)

    def applied(self, text: str) -> str:
        """The file's text with the edit in it; raises MutantsError if a text is not there once."""
        for place in self.places:
            if text.count(place) != 1:
                raise MutantsError(
                    f"{self.name}: {self.file} has {text.count(place)} times, and must have once:\n{place}"
                )
        if self.swap:
            one, other = sorted(self.swap, key=text.index)
            before, _, rest = text.partition(one)
            between, _, after = rest.partition(other)
            return f"{before}{other}{between}{one}{after}"
        if self.undo:
            return f"{text.rstrip()}\n{self.undo.rstrip()}\n"
        if self.silence:
            return text.replace(self.silence, f"false && {self.silence}")
        return text.replace(self.drop or self.replace or "", self.by or "")


MUTANTS = TypeAdapter(list[Mutant])


def load(path: Path) -> list[Mutant]:
    """The mutants of a YAML file, a list; raises MutantsError, with a line for each problem."""
    try:
        mutants = MUTANTS.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MutantsError(f"{path}: can't be read: {error}") from None
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
        raise MutantsError("\n".join(lines)) from None
    names = [mutant.name for mutant in mutants]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MutantsError(f"{path}: more than one mutant has the name {', '.join(twice)}")
    return mutants


def effective(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a script that do something, numbered from 1."""
    for number, line in enumerate(text.splitlines(), start=1):
        if not IDLE.fullmatch(line):
            yield number, line


def untouched(text: str, mutants: Iterable[Mutant]) -> list[tuple[int, str]]:
    """The effective lines of a file that none of its mutants touches."""
    touched: set[int] = set()
    for place in [place for mutant in mutants for place in mutant.places]:
        start = text.index(place)
        first, last = text.count("\n", 0, start), text.count("\n", 0, start + len(place.rstrip("\n")))
        touched.update(range(first + 1, last + 2))
    return [(number, line) for number, line in effective(text) if number not in touched]
