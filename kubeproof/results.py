"""What the run saw: results.jsonl, one line for each check as it ends, so that a killed run keeps what it knows."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

Outcome = Literal["passed", "failed", "error"]


class Result(BaseModel):
    """One check's verdict; `failed` is a wrong fact, `error` one that could not be looked at."""

    check: str
    nodeid: str
    outcome: Outcome
    started: datetime.datetime
    seconds: float
    node: str = ""
    promise: str = ""
    script: str = ""
    step: str = ""
    expected: str = ""
    seen: str = ""
    message: str = ""
    evidence: str = ""


class Run(BaseModel):
    """The first line: what was judged, and what of the inventory was not, and why.

    `not_applicable` is what the spec says its machines can't answer, `not_judged` what it states too little for.
    """

    cluster: str
    spec: Path
    kubernetes: str
    provider: str
    started: datetime.datetime
    not_applicable: dict[str, str]
    not_judged: dict[str, str] = {}
    accepted_risks: dict[str, str]


class End(BaseModel):
    """The last line, of a run that judged all it set out to."""

    complete: Literal[True] = True


def append(folder: Path, line: Run | Result | End) -> None:
    """Add a line, whole, to the run's results.jsonl."""
    with (folder / "results.jsonl").open("a") as file:
        file.write(f"{line.model_dump_json()}\n")


def read(folder: Path) -> tuple[Run, list[Result]]:
    """What results.jsonl has; a last line that a killed run left half written is passed over."""
    first, *rest = _lines(folder)
    rest = [line for line in rest if line != END]
    return Run.model_validate_json(first), [Result.model_validate_json(line) for line in rest]


def is_complete(folder: Path) -> bool:
    """Whether the run came to its end; if not, what it did not judge is unknown."""
    return _lines(folder)[-1] == END


def _lines(folder: Path) -> list[str]:
    return (folder / "results.jsonl").read_text().split("\n")[:-1]


END = End().model_dump_json()
