"""Mutants: realistic edits of the provisioning scripts, and the check that must be named for each."""

from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from kubeproof.spec.scripts import CONTROL_PLANE, OF_ROLE, SCRIPTS, VAGRANTFILE, WORKER, Role
from kubeproof.spec.values import Text

FILES = (*SCRIPTS, VAGRANTFILE)
EDITS = ("drop", "replace", "silence", "swap", "undo")


class MutantsError(Exception):
    """Mutants that can't be used; the message names file, mutant and what would be right."""


class Mutant(BaseModel, extra="forbid", frozen=True):
    """One edit of one file, and its expected consequence.

    Exactly one edit: `drop` removes a text; `replace` puts `by` in its place; `silence` makes a command fail without
    output; `swap` exchanges two texts; `undo` appends a command to the script. The file must contain a text exactly
    once, as it is written here.

    `check` must be named first, with `step` as the responsible step. With `check: bring_up` the bring-up must fail, and
    name the step or have `says` in its message. `equivalent` is for an edit without visible consequence: why the lab's
    machines can't show it; `seen_by` names a self-test that is red with it all the same.

    `role` is that of the judged machine; the default is a control plane for its own script, and a worker otherwise.
    `machines` is how many are made side by side: some edits are only wrong on two equal machines.
    `sample` marks the mutants that `--sample` selects.
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

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        edits = [edit for edit in EDITS if getattr(self, edit) is not None]
        problem = ""
        if self.file not in FILES:
            problem = f"file must be one of {', '.join(FILES)}"
        elif len(edits) != 1:
            problem = f"exactly one of {', '.join(EDITS)} must be there, not {' and '.join(edits) or 'none'}"
        elif (self.replace is None) != (self.by is None):
            problem = "replace and by go together"
        elif (self.equivalent is None) == (self.check is None):
            problem = "one of check and equivalent must be there, and not both"
        elif self.seen_by and not self.equivalent:
            problem = "seen_by goes with equivalent"
        elif self.check and not self.step and not self.says:
            problem = "check needs the responsible step, or a text that the bring-up says"
        if problem:
            raise PydanticCustomError("mutant", "{problem}", {"problem": problem})
        return self

    @property
    def where(self) -> Role:
        """The role of the machine that is provisioned and judged."""
        return self.role or (CONTROL_PLANE if self.file == OF_ROLE[CONTROL_PLANE] else WORKER)

    @property
    def places(self) -> tuple[str, ...]:
        """The texts of the file that the edit touches."""
        return self.swap or tuple(text for text in (self.drop, self.replace, self.silence) if text)

    def applied(self, text: str) -> str:
        """The file's text after the edit; raises MutantsError unless it contains each place once."""
        for place in self.places:
            if text.count(place) != 1:
                raise MutantsError(
                    f"{self.name}: {self.file} must contain this text once, and contains it {text.count(place)} times:"
                    f"\n{place}"
                )
        if self.swap:
            first, second = sorted(self.swap, key=text.index)
            before, _, rest = text.partition(first)
            between, _, after = rest.partition(second)
            return f"{before}{second}{between}{first}{after}"
        if self.undo:
            return f"{text.rstrip()}\n{self.undo.rstrip()}\n"
        if self.silence:
            return text.replace(self.silence, f"false && {self.silence}")
        return text.replace(self.drop or self.replace or "", self.by or "")


def load(path: Path) -> list[Mutant]:
    """The mutants of a YAML file, which is a list; raises MutantsError with a line for each problem."""
    try:
        mutants = TypeAdapter(list[Mutant]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MutantsError(f"{path}: can't be read: {error}") from None
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(str(part) for part in flaw['loc'])}: {flaw['msg']}" for flaw in error.errors()]
        raise MutantsError("\n".join(lines)) from None
    names = [mutant.name for mutant in mutants]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MutantsError(f"{path}: several mutants have the name {', '.join(twice)}")
    return mutants
