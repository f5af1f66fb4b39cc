"""Where in a provisioning script the step is that owes a fact."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel

from kubeproof.results.redaction import Redacted

STEP = re.compile(r"^\s*step (?P<name>[\w-]+)$")
MACHINES = "Vagrantfile"  # what makes the machines that the scripts then run on
EVERYWHERE = ("config.sh", "install_pkg.sh")  # what runs on machines of every role
CONTROL_PLANE = "master_node.sh"  # what runs on none of the others
WORKER = "work_nodes.sh"
END = ""  # in place of the step that a machine has reached: all of its last script has run
LONGEST = 40  # lines of one step that are kept: it is to be seen at a glance


class StepSource(BaseModel):
    """A step as its script has it: the line it begins at, from 1, and its text from there to the next step."""

    script: str
    step: str
    line: int
    text: Redacted


def sources(script: Path) -> list[StepSource]:
    """The steps of a script, in its order; none of a script that is not there or names no steps."""
    try:
        lines = script.read_text(errors="replace").splitlines()
    except OSError:
        return []
    begun = [(number, found["name"]) for number, line in enumerate(lines) if (found := STEP.match(line))]
    return [
        StepSource(script=script.name, step=name, line=start + 1, text=_told(lines[start:end]))
        for (start, name), (end, _) in pairwise([*begun, (len(lines), "")])
    ]


def is_before(script: str, step: str, reached: tuple[str, str], known: Sequence[StepSource]) -> bool:
    """Whether a step comes before the one that a machine had reached; `known` are all, in the order they run in.

    What makes the machines, which is no script of theirs, comes before all; the END of a script after all its steps.
    """
    on_it = (*EVERYWHERE, reached[0])
    order = [*[(source.script, source.step) for source in known if source.script in on_it], (reached[0], END)]
    if script == MACHINES:
        return reached in order
    return (script, step) in order[: order.index(reached)] if reached in order else False


def _told(lines: list[str]) -> str:
    left_out = [f"# and {len(lines) - LONGEST} lines more"] if len(lines) > LONGEST else []
    return "\n".join([*lines[:LONGEST], *left_out]).strip()
