"""The steps of provisioning scripts as they ran, and a bring-up that failed in one of them."""

import datetime
from collections.abc import Mapping

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


class BringUpFailed(Exception):
    """The cluster could not be made; the message names node, script, step and the last output.

    `script` and `step` are empty if no step is known to have failed. `reached` maps each machine that can be entered to
    the script and the step (or blame.END) at which it stopped: the steps before can be judged, and may be the cause.
    """

    def __init__(
        self, message: str, script: str = "", step: str = "", reached: Mapping[str, tuple[str, str]] | None = None
    ) -> None:
        super().__init__(message)
        self.script = script
        self.step = step
        self.reached = dict(reached or {})
