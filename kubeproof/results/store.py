"""The folder of a run, and its results.jsonl: one line for each case as it ends, so that a killed run loses nothing."""

import datetime
from itertools import count
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from kubeproof.results.model import SCHEMA_VERSION, End, Result, Run

FILE = "results.jsonl"
T = TypeVar("T")


class Unreadable(Exception):
    """A folder without readable results; the message names the file, the problem and the remedy."""


LINE: TypeAdapter[Run | Result | End] = TypeAdapter(Annotated[Run | Result | End, Field(discriminator="kind")])
FIELDS = TypeAdapter(dict[str, JsonValue])


def open_folder(reports: Path, started: datetime.datetime) -> Path:
    """Make a folder of its own for a run that started then, and point the link `latest` beside it at it."""
    reports.mkdir(parents=True, exist_ok=True)
    name = started.strftime("%Y-%m-%dT%H-%M-%SZ")
    for number in count(1):
        folder = reports / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
            break
        except FileExistsError:
            continue
    # The link is replaced in one step, since another run may replace it at the same time.
    link = reports / f".{folder.name}"
    link.symlink_to(folder.name)
    link.replace(reports / "latest")
    return folder


def append(folder: Path, line: Run | Result | End) -> None:
    """Add a line to the run's results.jsonl."""
    with (folder / FILE).open("a") as file:
        file.write(f"{line.model_dump_json()}\n")


def read(folder: Path) -> tuple[Run, list[Result]]:
    """The run and the results in a folder; a last line that a killed run left incomplete is ignored.

    Raises Unreadable.
    """
    return read_whole(folder)[:2]


def read_whole(folder: Path) -> tuple[Run, list[Result], datetime.datetime | None]:
    """The same, and when the run ended: None if it was stopped before it had judged everything; raises Unreadable."""
    run, *rest = _lines(folder)
    if not isinstance(run, Run):
        raise Unreadable(f"{folder / FILE}: line 1 must be a run, and is a {run.kind}: take another folder")
    ended = [line.at for line in rest if isinstance(line, End)]
    return run, [line for line in rest if isinstance(line, Result)], ended[-1] if ended else None


def parse(kind: TypeAdapter[T], text: str, where: str) -> T:
    """The JSON `text` as that kind.

    Raises Unreadable, with `where` (the file, and the line if there are several) and the problem.
    """
    try:
        return kind.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the line"
        raise Unreadable(f"{where}: is not in kubeproof's format: {key}: {first['msg']}") from None


def _lines(folder: Path) -> list[Run | Result | End]:
    file = folder / FILE
    try:
        lines = file.read_text().split("\n")[:-1]
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{file}: can't be read: {error}. Name the folder of a run, such as reports/latest") from None
    if not lines:
        raise Unreadable(f"{file}: has no complete line: the run ended before it judged anything. Run it again")
    # Before anything else: a later version may have other kinds of lines.
    version = parse(FIELDS, lines[0], f"{file}: line 1").get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise Unreadable(
            f"{file}: has schema_version {version}, and this kubeproof reads up to {SCHEMA_VERSION}: "
            "install a later kubeproof"
        )
    return [parse(LINE, line, f"{file}: line {number}") for number, line in enumerate(lines, start=1)]
