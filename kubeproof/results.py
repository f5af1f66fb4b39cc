"""What the run saw: results.jsonl, one line for each check as it ends, so that a killed run keeps what it knows."""

from __future__ import annotations

import datetime
import functools
from itertools import count
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError, computed_field

from kubeproof import blame
from kubeproof.blame import StepSource
from kubeproof.redaction import Redacted
from kubeproof.spec import SCRIPTS, Spec

Outcome = Literal["passed", "failed", "error"]
FILE = "results.jsonl"
T = TypeVar("T")


class Unreadable(Exception):
    """A folder that has no results to read; the message says which file, what is wrong with it and what to do."""


class Result(BaseModel):
    """One check's verdict; `failed` is a wrong fact, `error` one that could not be looked at.

    `machine` and `command` are what was asked last before it was seen to be wrong, and of whom.
    """

    kind: Literal["result"] = "result"
    check: Redacted
    nodeid: Redacted
    outcome: Outcome
    started: AwareDatetime
    seconds: float
    node: str = ""
    promise: Redacted = ""
    script: str = ""
    step: str = ""
    expected: Redacted = ""
    seen: Redacted = ""
    message: Redacted = ""
    machine: str = ""
    command: Redacted = ""
    evidence: str = ""

    @computed_field  # type: ignore[prop-decorator] # pydantic takes a property
    @property
    def area(self) -> str:
        """What the check judges: the name of its test file's folder, such as node, cluster or components."""
        return Path(self.nodeid.partition("::")[0]).parent.name

    @computed_field  # type: ignore[prop-decorator] # pydantic takes a property
    @property
    def component(self) -> str:
        """The part of the area that it judges: the name of its test file, such as kubelet or coredns."""
        return Path(self.nodeid.partition("::")[0]).stem.removeprefix("test_")

    @property
    def name(self) -> str:
        """The check and, where it is of one machine, that machine."""
        return f"{self.check} on {self.node}" if self.node else self.check


class Machine(BaseModel):
    """A node as the spec has it."""

    name: str
    role: str
    address: str


class AcceptedRisk(BaseModel):
    """A check that was not judged, since its red is known and accepted until a day."""

    reason: Redacted
    until: datetime.date


class Run(BaseModel):
    """The first line: what was judged, and what of the inventory was not, and why.

    `not_applicable` is what the spec says its machines can't answer, `not_judged` what it states too little for.
    """

    kind: Literal["run"] = "run"
    cluster: str
    spec: Path
    versions: dict[str, str]
    provider: str
    started: AwareDatetime
    machines: list[Machine]
    step_sources: list[StepSource]
    not_applicable: dict[str, Redacted]
    not_judged: dict[str, Redacted]
    accepted_risks: dict[str, AcceptedRisk]

    @classmethod
    def of(cls, spec: Spec, file: Path, started: datetime.datetime, not_judged: dict[str, str]) -> Self:
        """The run of `spec`, which `file` has, with the steps as the scripts have them now."""
        scripts = [spec.scripts / script for script in SCRIPTS] if spec.states("scripts") else []
        stated = {"Kubernetes": "kubernetes", "Calico": "calico", "Flannel": "flannel"}
        return cls(
            cluster=spec.name,
            spec=file,
            versions={
                name: getattr(spec, key).version for name, key in stated.items() if spec.states(f"{key}.version")
            },
            provider=spec.provider,
            started=started,
            machines=[
                Machine(name=one.name, role=getattr(one, "role", ""), address=str(getattr(one, "address", "")))
                for one in spec.nodes
            ],
            step_sources=[source for script in scripts for source in blame.sources(script)],
            not_applicable=spec.left_out,
            not_judged=not_judged,
            accepted_risks={
                name: AcceptedRisk(reason=risk.reason, until=risk.until) for name, risk in spec.accepted_risks.items()
            },
        )

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """Its machines'."""
        return frozenset(machine.name for machine in self.machines)

    def source(self, script: str, step: str) -> StepSource | None:
        """The step as the script had it when the run began, if it was found there."""
        return next((one for one in self.step_sources if (one.script, one.step) == (script, step)), None)


class End(BaseModel):
    """The last line, of a run that judged all it set out to."""

    kind: Literal["end"] = "end"
    at: AwareDatetime


LINE: TypeAdapter[Run | Result | End] = TypeAdapter(Annotated[Run | Result | End, Field(discriminator="kind")])


def open_folder(reports: Path, started: datetime.datetime) -> Path:
    """Make the folder of a run that started then, its own also where another started in the same second.

    `latest` beside it points at it from then on.
    """
    reports.mkdir(parents=True, exist_ok=True)
    name = started.strftime("%Y-%m-%dT%H-%M-%SZ")
    for number in count(1):
        folder = reports / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
            break
        except FileExistsError:
            continue
    # Replaced in one go: another run may be pointing it at its own folder just now.
    pointer = reports / f".{folder.name}"
    pointer.symlink_to(folder.name)
    pointer.replace(reports / "latest")
    return folder


def append(folder: Path, line: Run | Result | End) -> None:
    """Add a line, whole, to the run's results.jsonl."""
    with (folder / FILE).open("a") as file:
        file.write(f"{line.model_dump_json()}\n")


def read(folder: Path) -> tuple[Run, list[Result]]:
    """What results.jsonl has; a last line that a killed run left half written is passed over.

    Raises Unreadable.
    """
    run, judged, _ = read_whole(folder)
    return run, judged


def read_whole(folder: Path) -> tuple[Run, list[Result], datetime.datetime | None]:
    """The same, and when the run came to its end: None if it did not, and what it had not judged by then is unknown.

    Raises Unreadable.
    """
    run, *rest = _lines(folder)
    if not isinstance(run, Run):
        raise Unreadable(f"{folder / FILE}: line 1 must say what was judged, and is a {run.kind}: take another folder")
    ended = [line.at for line in rest if isinstance(line, End)]
    return run, [line for line in rest if isinstance(line, Result)], ended[-1] if ended else None


def _lines(folder: Path) -> list[Run | Result | End]:
    file = folder / FILE
    try:
        whole = file.read_text().split("\n")[:-1]
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{file}: can't be read: {error}. Name the folder of a run, such as reports/latest") from None
    if not whole:
        raise Unreadable(f"{file}: has no whole line: the run ended before it began to judge. Run it again")
    return [parse(LINE, line, f"{file}: line {number}") for number, line in enumerate(whole, start=1)]


def parse(kind: TypeAdapter[T], text: str, where: str) -> T:
    """What `text`, found there, has of that kind.

    Raises Unreadable, which says where and what is wrong.
    """
    try:
        return kind.validate_json(text)
    except ValidationError as error:
        wrong = error.errors()[0]
        key = ".".join(str(part) for part in wrong["loc"]) or "the line"
        raise Unreadable(f"{where} is none that this version of kubeproof writes: {key}: {wrong['msg']}") from None
