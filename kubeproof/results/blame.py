"""The steps of the provisioning scripts: where each begins, and which had run when a bring-up failed."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel

from kubeproof.results.redaction import Redacted
from kubeproof.spec.scripts import EVERYWHERE, VAGRANTFILE

STEP = re.compile(r"^\s*step (?P<name>[\w-]+)$")
END = ""  # stands for a step that a machine has reached: its last script has run to the end
LONGEST = 40  # lines of one step that are kept, so that a reader sees the step at a glance


class StepSource(BaseModel):
    """A step in its script: the line it begins at, from 1, and its text up to the next step."""

    script: str
    step: str
    line: int
    text: Redacted


def sources(script: Path) -> list[StepSource]:
    """The steps of a script, in its order; none if the script does not exist or names no steps."""
    try:
        lines = script.read_text(errors="replace").splitlines()
    except OSError:
        return []
    begun = [(number, found["name"]) for number, line in enumerate(lines) if (found := STEP.match(line))]
    steps = []
    for (start, name), (end, _) in pairwise([*begun, (len(lines), "")]):
        cut = [f"# and {end - start - LONGEST} more lines"] if end - start > LONGEST else []
        text = "\n".join([*lines[start:end][:LONGEST], *cut]).strip()
        steps.append(StepSource(script=script.name, step=name, line=start + 1, text=text))
    return steps


def is_before(script: str, step: str, reached: tuple[str, str], steps: Sequence[StepSource]) -> bool:
    """Whether a step comes before the script and step that a machine had reached.

    `steps` are those of all scripts, in the order of use. The Vagrantfile makes the machine, so it comes before every
    step; END comes after every step of its script.
    """
    scripts = (*EVERYWHERE, reached[0])
    order = [*[(source.script, source.step) for source in steps if source.script in scripts], (reached[0], END)]
    if script == VAGRANTFILE:
        return reached in order
    return (script, step) in order[: order.index(reached)] if reached in order else False
