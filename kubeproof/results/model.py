"""The lines of a run's results.jsonl: what was to be judged, each verdict, and the end."""

import datetime
import functools
from pathlib import Path
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, computed_field

from kubeproof.results import blame
from kubeproof.results.blame import StepSource
from kubeproof.results.redaction import Redacted
from kubeproof.spec import Spec, stated
from kubeproof.spec.scripts import SCRIPTS

SCHEMA_VERSION = 2  # of results.jsonl and results.json; version 1 states none in its first line
Outcome = Literal["passed", "failed", "error"]
# The folders of checks, and what they judge, in the order of a report.
AREAS = {
    "node": "Each machine, over ssh",
    "cluster": "The cluster, by its API",
    "components": "Each component, when it runs and when it fails",
}


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
        scripts = [stated(spec.scripts) / script for script in SCRIPTS] if spec.states("scripts") else []
        plugins = {"Kubernetes": "kubernetes", "Calico": "calico", "Flannel": "flannel"}
        return cls(
            cluster=spec.name,
            spec=file,
            versions={
                name: getattr(spec, key).version for name, key in plugins.items() if spec.states(f"{key}.version")
            },
            provider=spec.provider,
            started=started,
            machines=[
                Machine(name=node.name, role=node.role or "", address=str(node.address or "")) for node in spec.nodes
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
