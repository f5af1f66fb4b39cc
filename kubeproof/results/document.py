"""A run as one document: results.json, which docs/results.schema.json describes."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, TypeAdapter, computed_field

from kubeproof.results import store, timeline
from kubeproof.results.model import SCHEMA_VERSION, Outcome, Result, Run
from kubeproof.results.steps import STEPS_FILE, ScriptStep
from kubeproof.results.timeline import Timeline
from kubeproof.spec.scripts import CONTROL_PLANE, OF_ROLE, WORKER

STEP = TypeAdapter(ScriptStep)


class Document(BaseModel):
    """A whole run with its verdict.

    `ended` is None for a run that ended early. `schema_version` grows when a program that reads the document would have
    to change; `run.schema_version` is the version that the run was recorded in.
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    run: Run
    ended: AwareDatetime | None
    results: list[Result]
    steps: list[ScriptStep]
    timelines: list[Timeline]

    @computed_field  # type: ignore[prop-decorator] # pydantic takes a property
    @property
    def proved(self) -> bool:
        """Whether every check passed; a run that ended early or judged nothing proves nothing."""
        return bool(self.results) and self.ended is not None and not self.wrong

    @computed_field  # type: ignore[prop-decorator] # pydantic takes a property
    @property
    def verdict(self) -> str:
        """The verdict in one line."""
        judged, failed, unknown = len(self.results), self.count("failed"), self.count("error")
        if self.wrong:
            early = "" if self.ended else "; the run ended early"
            return f"NOT PROVED: {failed} of {judged} checks failed, {unknown} could not be judged{early}"
        if self.ended is None:
            return f"NOT PROVED: the run ended early; the {judged} checks that it judged passed"
        return f"PROVED: all {judged} checks passed" if judged else "NOT PROVED: no check was judged"

    @computed_field  # type: ignore[prop-decorator] # pydantic takes a property
    @property
    def seconds(self) -> float:
        """Seconds from the run's start to its end, or to its last result if it ended early."""
        ends = [result.started + timedelta(seconds=result.seconds) for result in self.results]
        return ((self.ended or max(ends, default=self.run.started)) - self.run.started).total_seconds()

    @property
    def wrong(self) -> list[Result]:
        """The results that did not pass, the likely causes first.

        Failures come before errors, and follow the order of the responsible steps, since later steps fail of what an
        earlier one left undone. On a worker its own steps come before the control plane's, which made no other worker
        fail. In one step, facts of a machine come before facts of the cluster, and those before facts of a pair.
        """
        steps = [(source.script, source.step) for source in self.run.step_sources]
        scripts = {script for script, _ in steps}
        workers = {machine.name for machine in self.run.machines if machine.role == WORKER}

        def key(result: Result) -> tuple[bool, bool, int, int, bool]:
            elsewhere = result.node in workers and result.script == OF_ROLE[CONTROL_PLANE]
            step = (result.script, result.step)
            if step in steps:
                place = steps.index(step)
            else:  # the Vagrantfile makes the machines before any step; a fact without a step comes last
                place = -1 if result.script and result.script not in scripts else len(steps)
            return result.outcome != "failed", elsewhere, place, result.area_order, not result.node

        return sorted((result for result in self.results if result.outcome != "passed"), key=key)

    def count(self, outcome: Outcome) -> int:
        """The number of results with that outcome."""
        return sum(result.outcome == outcome for result in self.results)


def read(folder: Path) -> Document:
    """The run in a folder, from the files that it wrote while it went; raises store.Unreadable."""
    run, results, ended = store.read_whole(folder)
    return Document(run=run, ended=ended, results=results, steps=_steps(folder), timelines=timeline.read(folder))


def _steps(folder: Path) -> list[ScriptStep]:
    file = folder / STEPS_FILE
    lines = file.read_text(errors="replace").splitlines() if file.exists() else []
    return [store.parse(STEP, line, f"{file}: line {number}") for number, line in enumerate(lines, start=1)]
