"""The timeline of an experiment: when its fault began, how the cluster reacted, and when it had recovered.

An experiment fills and saves it; the report draws it.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, StringConstraints, TypeAdapter, model_validator

from kubeproof.results import store
from kubeproof.results.redaction import Redacted

FOLDER = "timelines"


class Moment(BaseModel):
    """An action of the experiment, or a change in the cluster.

    `subject` is a node, a pod or another object; `change` is its new state.
    """

    at: AwareDatetime
    kind: Literal["done", "condition", "taint", "endpoint", "pod", "event", "probe"]
    subject: Redacted
    change: Redacted


class Probe(BaseModel):
    """One request of a series with the same name, and whether the cluster answered."""

    at: AwareDatetime
    name: Redacted
    answered: bool


class Milestones(BaseModel):
    """The moments that count; None if an experiment has not reached one, or has no such milestone.

    `fault`: the fault is proved to be in effect. `detected`: the cluster shows it. `evicted`: the last pod concerned is
    marked for deletion. `mended`: the fault is undone. `recovered`: everything is as before.
    """

    fault: AwareDatetime
    detected: AwareDatetime | None = None
    evicted: AwareDatetime | None = None
    mended: AwareDatetime | None = None
    recovered: AwareDatetime | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for later in ("detected", "evicted", "mended", "recovered"):
            earlier = "mended" if later == "recovered" else "fault"
            before, after = getattr(self, earlier), getattr(self, later)
            if after is not None and (before is None or after < before):
                raise ValueError(f"{later} at {after} must come after {earlier} at {before}")
        return self


class Timeline(BaseModel):
    """One experiment, named after its class: kubelet_stopped for TestKubeletStopped."""

    experiment: Annotated[str, StringConstraints(pattern=r"^\w[\w-]*$")]
    promise: Redacted
    node: str
    moments: list[Moment]
    probes: list[Probe]
    milestones: Milestones

    @property
    def seconds_to(self) -> dict[str, float]:
        """Seconds from the fault to `detect` and `evict`, and from its mending to `recover`; only those reached."""
        at = self.milestones
        spans = {
            "detect": (at.fault, at.detected),
            "evict": (at.fault, at.evicted),
            "recover": (at.mended, at.recovered),
        }
        return {name: (end - start).total_seconds() for name, (start, end) in spans.items() if start and end}


TIMELINE = TypeAdapter(Timeline)


def save(folder: Path, timeline: Timeline) -> Path:
    """Write FOLDER/timelines/EXPERIMENT.json in one step: a killed run leaves the old file or the new one."""
    file = folder / FOLDER / f"{timeline.experiment}.json"
    file.parent.mkdir(exist_ok=True)
    draft = file.with_suffix(".draft")
    draft.write_text(timeline.model_dump_json(indent=1) + "\n")
    draft.replace(file)
    return file


def read(folder: Path) -> list[Timeline]:
    """The timelines in a run's folder, by experiment; raises store.Unreadable."""
    files = sorted((folder / FOLDER).glob("*.json"))
    return [store.parse(TIMELINE, file.read_text(errors="replace"), str(file)) for file in files]
