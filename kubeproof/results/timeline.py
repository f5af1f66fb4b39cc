"""An experiment as it went: when its fault was in, what the cluster did then, and how soon it was whole again.

A recorder fills a Timeline while an experiment runs and saves it in the run's folder; the report draws it.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, StringConstraints, TypeAdapter, model_validator

from kubeproof.results import store
from kubeproof.results.redaction import Redacted

FOLDER = "timelines"


class Moment(BaseModel):
    """Something that happened: a thing that the experiment did, or a change that the cluster showed.

    `subject` is what it happened to, such as a node or a pod, and `change` what became of it.
    """

    at: AwareDatetime
    kind: Literal["done", "condition", "taint", "endpoint", "pod", "event", "probe"]
    subject: Redacted
    change: Redacted


class Probe(BaseModel):
    """One question to the cluster, asked again and again under the same name, and whether it was answered."""

    at: AwareDatetime
    name: Redacted
    answered: bool


class Milestones(BaseModel):
    """When what a person asks for was so; None is not yet, or not of this experiment.

    `fault`: proved to be in. `detected`: the cluster shows it. `evicted`: the last pod it concerns is marked to go.
    `mended`: the fault is undone. `recovered`: all is as before.
    """

    fault: AwareDatetime
    detected: AwareDatetime | None = None
    evicted: AwareDatetime | None = None
    mended: AwareDatetime | None = None
    recovered: AwareDatetime | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for earlier, later in (
            ("fault", "detected"),
            ("fault", "evicted"),
            ("fault", "mended"),
            ("mended", "recovered"),
        ):
            before, after = getattr(self, earlier), getattr(self, later)
            if after is not None and (before is None or after < before):
                raise ValueError(f"{later} at {after} must come after {earlier} at {before}")
        return self


class Timeline(BaseModel):
    """One experiment; its name is the component of its checks: kubelet_stopped, of test_kubelet_stopped.py."""

    experiment: Annotated[str, StringConstraints(pattern=r"^\w[\w-]*$")]
    promise: Redacted
    node: str
    moments: list[Moment]
    probes: list[Probe]
    milestones: Milestones

    @property
    def seconds_to(self) -> dict[str, float]:
        """Seconds from the fault to its detection and to eviction, and from its mending to recovery."""
        reached = self.milestones
        spans = {
            "detect": (reached.fault, reached.detected),
            "evict": (reached.fault, reached.evicted),
            "recover": (reached.mended, reached.recovered),
        }
        return {name: (end - start).total_seconds() for name, (start, end) in spans.items() if start and end}


KIND = TypeAdapter(Timeline)


def save(folder: Path, timeline: Timeline) -> Path:
    """Keep a timeline in the run's folder, as timelines/<experiment>.json; whole, or as it was before."""
    file = folder / FOLDER / f"{timeline.experiment}.json"
    file.parent.mkdir(exist_ok=True)
    draft = file.with_suffix(".draft")
    draft.write_text(timeline.model_dump_json(indent=1) + "\n")
    draft.replace(file)
    return file


def read(folder: Path) -> list[Timeline]:
    """The timelines in a run's folder, by experiment; none if no experiment left one.

    Raises store.Unreadable, which names the file.
    """
    files = sorted((folder / FOLDER).glob("*.json"))
    return [store.parse(KIND, file.read_text(errors="replace"), str(file)) for file in files]
