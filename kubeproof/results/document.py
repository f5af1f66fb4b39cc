"""results.json: the whole run as one document, which docs/results.schema.json describes."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, TypeAdapter, computed_field

from kubeproof.results import store, timeline
from kubeproof.results.blame import CONTROL_PLANE
from kubeproof.results.model import Outcome, Result, Run
from kubeproof.results.steps import STEPS_FILE, ScriptStep
from kubeproof.results.timeline import Timeline

STEP = TypeAdapter(ScriptStep)
AREAS = ["node", "cluster", "components"]


class Document(BaseModel):
    """A run: what it set out to judge, what it saw, and what that proves.

    `ended` is None for a run that did not come to its end. `schema_version` grows when a reader of the document would
    have to change.
    """

    schema_version: Literal[1] = 1
    run: Run
    ended: AwareDatetime | None
    results: list[Result]
    steps: list[ScriptStep]
    timelines: list[Timeline]

    @computed_field  # type: ignore[prop-decorator] # pydantic takes a property
    @property
    def proved(self) -> bool:
        """Whether every check passed; a run that did not come to its end, or judged nothing, proves nothing."""
        return bool(self.results) and self.ended is not None and not self.wrong

    @computed_field  # type: ignore[prop-decorator] # pydantic takes a property
    @property
    def verdict(self) -> str:
        """One line: what was proved and what not."""
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
        """From the run's start to its end; of one that did not come to its end, to the last that it saw."""
        seen = [result.started + timedelta(seconds=result.seconds) for result in self.results]
        return (self.ended or max(seen, default=self.run.started)).timestamp() - self.run.started.timestamp()

    @property
    def wrong(self) -> list[Result]:
        """What is not proved: first what failed, then what could not be judged.

        Each in the order of the steps that owe it, since what one step left undone is what the next ones fail of: of a
        worker its own steps before the control plane's, which made no other worker fail. Of one step, what a machine
        itself says before what the cluster makes of it, and that before what is between two machines.
        """
        steps = [(source.script, source.step) for source in self.run.step_sources]
        scripts = {script for script, _ in steps}
        workers = {machine.name for machine in self.run.machines if machine.role == "worker"}

        def key(result: Result) -> tuple[bool, bool, int, int, bool]:
            elsewhere = result.node in workers and result.script == CONTROL_PLANE
            step = (result.script, result.step)
            if step in steps:
                place = steps.index(step)
            else:  # what makes the machines comes before all steps; what no step owes, after them
                place = -1 if result.script and result.script not in scripts else len(steps)
            area = AREAS.index(result.area) if result.area in AREAS else len(AREAS)
            return result.outcome != "failed", elsewhere, place, area, not result.node

        return sorted((result for result in self.results if result.outcome != "passed"), key=key)

    def count(self, outcome: Outcome) -> int:
        """How many checks ended so."""
        return sum(result.outcome == outcome for result in self.results)


def read(folder: Path) -> Document:
    """The run of that folder, from what it kept while it went.

    Raises store.Unreadable.
    """
    run, judged, ended = store.read_whole(folder)
    return Document(run=run, ended=ended, results=judged, steps=_steps(folder), timelines=timeline.read(folder))


def write(folder: Path, run: Document) -> Path:
    """Make results.json in the run's folder and return its path."""
    file = folder / "results.json"
    file.write_text(run.model_dump_json(indent=1) + "\n")
    return file


def _steps(folder: Path) -> list[ScriptStep]:
    file = folder / STEPS_FILE
    lines = file.read_text(errors="replace").splitlines() if file.exists() else []
    return [store.parse(STEP, line, f"{file}: line {number}") for number, line in enumerate(lines, start=1)]
