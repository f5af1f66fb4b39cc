"""The verdicts as a table for people, and as JSON for programs."""

import datetime
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from pydantic import BaseModel

from kubeproof.mutation.verdict import KILLED_RIGHT, WORDS, Verdict

MARKS = {"right check": "✔", "right message": "✔", "others": "~", "survived": "✘", "not judged": "?", "equivalent": "="}


class Tally(BaseModel):
    """All verdicts of a run of the gate, in the order of the mutants' file; `controls` are the scripts as they are."""

    at: datetime.datetime
    seconds: float
    side_by_side: int
    controls: dict[str, float]
    verdicts: list[Verdict]

    @property
    def judged(self) -> list[Verdict]:
        """Those of which something could be seen."""
        return [one for one in self.verdicts if one.kind != "equivalent"]

    @property
    def survivors(self) -> list[Verdict]:
        """Those that nobody noticed, or of which nothing is known."""
        return [one for one in self.judged if one.kind in ("survived", "not judged")]

    @property
    def summary(self) -> str:
        """One line."""
        judged, killed = len(self.judged), len(self.judged) - len(self.survivors)
        right = sum(one.kind in KILLED_RIGHT for one in self.judged)
        alike = len(self.verdicts) - judged
        asked = [one.by_peer for one in self.judged if one.by_peer is not None]
        peer = f"; the peer failed for {sum(map(bool, asked))} of {len(asked)}" if asked else ""
        kubeadm = sum(any(one.startswith("ERROR") for one in verdict.preflight) for verdict in self.judged)
        return (
            f"{killed} of {judged} mutants killed, {right} of them with the right check or step named first; "
            f"{alike} equivalent; kubeadm's own preflight refused {kubeadm}{peer}; "
            f"{self.seconds:.0f} s, {self.side_by_side} side by side"
        )


def write(tally: Tally, folder: Path) -> None:
    """Make mutants.json and mutants.md in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mutants.json").write_text(tally.model_dump_json(indent=1) + "\n")
    (folder / "mutants.md").write_text("\n".join(_page(tally)) + "\n")


def _page(tally: Tally) -> Iterable[str]:
    yield f"{tally.summary}."
    peer = ["peer"] if any(one.by_peer is not None for one in tally.judged) else []
    for file, verdicts in groupby(sorted(tally.judged, key=lambda one: one.file), key=lambda one: one.file):
        yield from ["", f"### {file}", ""]
        head = ["", "mutant", "how it comes about", "named first", "also red", "kubeadm's preflight", *peer, "on", "s"]
        yield from _table(head, [_row(verdict, with_peer=bool(peer)) for verdict in verdicts])
    alike = [one for one in tally.verdicts if one.kind == "equivalent"]
    if alike:
        yield from ["", "### Equivalent with these machines", ""]
        yield from _table(["file", "edit", "why"], [[one.file, one.mutant, one.proof] for one in alike])
    yield ""
    yield ", ".join(f"{mark} {WORDS[kind]}" for kind, mark in MARKS.items())  # type: ignore[index]


def _row(verdict: Verdict, *, with_peer: bool) -> list[str]:
    first, *others = verdict.red or [""]
    named = f"{first} ({verdict.blamed})" if first else f"nothing; {verdict.check} should be"
    if verdict.kind == "others":
        named += f"; {verdict.check} should be"
    more = f"{len(others)}: {', '.join(others[:3])}{', …' if len(others) > 3 else ''}" if others else ""  # noqa: PLR2004 # a cell's worth
    said = ", ".join(verdict.preflight)
    by_peer = "not asked" if verdict.by_peer is None else ", ".join(verdict.by_peer) or "all green"
    return [
        MARKS[verdict.kind],
        verdict.mutant,
        verdict.how,
        named,
        more,
        said,
        *([by_peer] if with_peer else []),
        verdict.where,
        f"{verdict.seconds:.0f}",
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    yield from (f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in row)} |" for row in rows)
