"""The verdicts as a Markdown table and as JSON."""

import datetime
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from pydantic import BaseModel

from kubeproof.mutation.verdict import KILLED_RIGHT, LEGEND, Verdict

OTHERS_SHOWN = 3  # further red checks in a cell


class Tally(BaseModel):
    """All verdicts, in the order of the mutants' file; `controls` are the unchanged scripts' seconds, by role."""

    at: datetime.datetime
    seconds: float
    side_by_side: int
    controls: dict[str, float]
    verdicts: list[Verdict]

    @property
    def judged(self) -> list[Verdict]:
        """All but the equivalent mutants."""
        return [verdict for verdict in self.verdicts if verdict.kind != "equivalent"]

    @property
    def survivors(self) -> list[Verdict]:
        """The mutants that no check noticed, or that could not be judged."""
        return [verdict for verdict in self.judged if verdict.kind in ("survived", "not judged")]

    @property
    def summary(self) -> str:
        """One line."""
        judged, killed = len(self.judged), len(self.judged) - len(self.survivors)
        right = sum(verdict.kind in KILLED_RIGHT for verdict in self.judged)
        by_peer = [verdict.by_peer for verdict in self.judged if verdict.by_peer is not None]
        peer = f"; the peer failed for {sum(map(bool, by_peer))} of {len(by_peer)}" if by_peer else ""
        kubeadm = sum(any(line.startswith("ERROR") for line in verdict.preflight) for verdict in self.judged)
        return (
            f"{killed} of {judged} mutants killed, {right} of them with the right check or step named first; "
            f"{len(self.verdicts) - judged} equivalent; kubeadm's own preflight refused {kubeadm}{peer}; "
            f"{self.seconds:.0f} s, {self.side_by_side} side by side"
        )


def write(tally: Tally, folder: Path) -> None:
    """Write mutants.json and mutants.md into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mutants.json").write_text(tally.model_dump_json(indent=1) + "\n")
    (folder / "mutants.md").write_text("\n".join(_page(tally)) + "\n")


def _page(tally: Tally) -> Iterable[str]:
    yield f"{tally.summary}."
    peer = ["peer"] if any(verdict.by_peer is not None for verdict in tally.judged) else []
    head = ["", "mutant", "how it comes about", "named first", "also red", "kubeadm's preflight", *peer, "on", "s"]
    for file, verdicts in groupby(sorted(tally.judged, key=lambda verdict: verdict.file), key=lambda v: v.file):
        yield from ["", f"### {file}", ""]
        yield from _table(head, [_row(verdict, with_peer=bool(peer)) for verdict in verdicts])
    if equivalent := [[v.file, v.mutant, v.proof] for v in tally.verdicts if v.kind == "equivalent"]:
        yield from ["", "### Equivalent with these machines", ""]
        yield from _table(["file", "edit", "why"], equivalent)
    yield ""
    yield ", ".join(f"{mark} {meaning}" for mark, meaning in LEGEND.values())


def _row(verdict: Verdict, *, with_peer: bool) -> list[str]:
    first, *others = verdict.red or [""]
    named = f"{first} ({verdict.blamed})" if first else "nothing"
    if verdict.kind == "others" or not first:
        named += f"; {verdict.check} should be"
    more = f"{len(others)}: {', '.join(others[:OTHERS_SHOWN])}" if others else ""
    by_peer = "not asked" if verdict.by_peer is None else ", ".join(verdict.by_peer) or "all green"
    return [
        LEGEND[verdict.kind][0],
        verdict.mutant,
        verdict.how,
        named,
        more + (", …" if len(others) > OTHERS_SHOWN else ""),
        ", ".join(verdict.preflight),
        *([by_peer] if with_peer else []),
        verdict.where,
        f"{verdict.seconds:.0f}",
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    yield from (f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in row)} |" for row in rows)
