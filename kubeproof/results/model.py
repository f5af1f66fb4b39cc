"""The lines of results.jsonl: the run, then a result for each case of a check, then the end."""

import datetime
import functools
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, Field, computed_field

from kubeproof.results import blame
from kubeproof.results.blame import StepSource
from kubeproof.results.redaction import Redacted
from kubeproof.spec import Spec, stated
from kubeproof.spec.model import NETWORK_PLUGINS
from kubeproof.spec.scripts import SCRIPTS

SCHEMA_VERSION: Final = 2  # of results.jsonl and results.json; the first line of version 1 does not state it
Outcome = Literal["passed", "failed", "error"]
# The folders of checks, and what they judge, in the order of a report.
AREAS = {
    "node": "Each machine, over ssh",
    "cluster": "The cluster, by its API",
    "components": "Each component, when it runs and when it fails",
}


class Result(BaseModel):
    """The verdict on one case of a check: `failed` is a wrong fact, `error` a fact that could not be judged.

    `command` is the last one before the verdict, `machine` where it ran.
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
        """The folder of the test file: node, cluster, components or a team's own."""
        return Path(self.nodeid.partition("::")[0]).parent.name

    @computed_field  # type: ignore[prop-decorator] # pydantic takes a property
    @property
    def component(self) -> str:
        """The name of the test file without test_, such as kubelet or coredns."""
        return Path(self.nodeid.partition("::")[0]).stem.removeprefix("test_")

    @property
    def name(self) -> str:
        """The check, and the node if it judges one."""
        return f"{self.check} on {self.node}" if self.node else self.check

    @property
    def area_order(self) -> int:
        """The place of its area in a report: those of AREAS first, a team's own after them."""
        return [*AREAS].index(self.area) if self.area in AREAS else len(AREAS)


class Machine(BaseModel):
    """A node of the spec."""

    name: str
    role: str
    address: str


class AcceptedRisk(BaseModel):
    """Why a check that is known to fail is not judged, up to and including a day."""

    reason: Redacted
    until: datetime.date


class Run(BaseModel):
    """The first line: the cluster, and the checks of the inventory that are not judged, each with the reason.

    `not_applicable` are checks that the machines can't answer, `not_judged` those that need a value that the spec does
    not state.
    """

    kind: Literal["run"] = "run"
    schema_version: Annotated[int, Field(ge=1, le=SCHEMA_VERSION)] = 1
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
        """The run of `spec`, which was loaded from `file`, with the present steps of its scripts."""
        scripts = [stated(spec.scripts) / script for script in SCRIPTS] if spec.states("scripts") else []
        versioned = [key for key in ("kubernetes", *NETWORK_PLUGINS) if spec.states(f"{key}.version")]
        risks = spec.accepted_risks.items()
        return cls(
            schema_version=SCHEMA_VERSION,
            cluster=spec.name,
            spec=file,
            versions={key.capitalize(): getattr(spec, key).version for key in versioned},
            provider=spec.provider,
            started=started,
            machines=[
                Machine(name=one.name, role=one.role or "", address=str(one.address or "")) for one in spec.nodes
            ],
            step_sources=[source for script in scripts for source in blame.sources(script)],
            not_applicable=spec.left_out,
            not_judged=not_judged,
            accepted_risks={check: AcceptedRisk(**risk.model_dump()) for check, risk in risks},
        )

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """The names of its machines."""
        return frozenset(machine.name for machine in self.machines)

    def source(self, script: str, step: str) -> StepSource | None:
        """The step in its script when the run began; None if the script did not contain it."""
        return next((source for source in self.step_sources if (source.script, source.step) == (script, step)), None)


class End(BaseModel):
    """The last line of a run that judged everything it planned to."""

    kind: Literal["end"] = "end"
    at: AwareDatetime
