"""The steps of provisioning scripts as they ran, and a bring-up that failed in one of them."""

import datetime
from dataclasses import dataclass, field

from pydantic import BaseModel

STEPS_FILE = "steps.jsonl"


class ScriptStep(BaseModel):
    """One run of a step on a machine; `ended` and the exit `status` are None while it runs."""

    node: str
    script: str
    step: str
    started: datetime.datetime
    ended: datetime.datetime | None = None
    status: int | None = None


@dataclass(eq=False)
class BringUpFailed(Exception):
    """The cluster could not be made; the message names node, script, step and the last output.

    `script` and `step` are empty if no step is known to have failed. `reached` maps each machine that can be entered to
    the script and the step (or blame.END) at which it stopped: the steps before can be judged, and may be the cause.
    """

    message: str
    script: str = ""
    step: str = ""
    reached: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __str__(self) -> str:
        """The message alone."""
        return self.message
