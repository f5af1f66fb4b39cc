"""The steps of provisioning scripts as they ran, and the failure of a bring-up that they explain."""

import datetime
from collections.abc import Mapping

from pydantic import BaseModel

STEPS_FILE = "steps.jsonl"


class ScriptStep(BaseModel):
    """One step of a provisioning script, as it announced itself; `status` is the shell's, once it ended."""

    node: str
    script: str
    step: str
    started: datetime.datetime
    ended: datetime.datetime | None = None
    status: int | None = None


class BringUpFailed(Exception):
    """The cluster could not be made; the message names node, script, step and the last output.

    `script` and `step` are empty if no step is known to have failed. `reached` says, for each machine that can be
    entered, the script and the step at which it stopped, or blame.END for the step: earlier steps can be judged, and
    may be the cause.
    """

    def __init__(
        self, message: str, script: str = "", step: str = "", reached: Mapping[str, tuple[str, str]] | None = None
    ) -> None:
        super().__init__(message)
        self.script = script
        self.step = step
        self.reached = dict(reached or {})
