"""Keeps a run in its folder: results.jsonl, one line for each check as it ends, so that a killed run loses nothing."""

import datetime
from itertools import count
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from kubeproof.results.model import End, Result, Run

FILE = "results.jsonl"
T = TypeVar("T")


class Unreadable(Exception):
    """A folder that has no results to read; the message says which file, what is wrong with it and what to do."""


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
