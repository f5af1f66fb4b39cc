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
    """The first line: what was judged."""

    cluster: str
    spec: Path
    kubernetes: str
    provider: str
    started: datetime.datetime
    not_applicable: dict[str, str]
    accepted_risks: dict[str, str]


def append(folder: Path, line: Run | Result) -> None:
    """Add a line, whole, to the run's results.jsonl."""
    with (folder / "results.jsonl").open("a") as file:
        file.write(f"{line.model_dump_json()}\n")


def read(folder: Path) -> tuple[Run, list[Result]]:
    """What results.jsonl has; a last line that a killed run left half written is passed over."""
    first, *rest = (folder / "results.jsonl").read_text().split("\n")[:-1]
    return Run.model_validate_json(first), [Result.model_validate_json(line) for line in rest]
