"""The differences between two runs: verdicts, judged checks, and times."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kubeproof.report.topology import worst
from kubeproof.report.wording import duration
from kubeproof.results import document
from kubeproof.results.document import Document
from kubeproof.results.model import Outcome

# Times of the same run on the same machine vary by a third, and short times by more: only a change that exceeds both
# bounds is a difference.
RATIO = 1.5
SECONDS = 5.0


@dataclass
class Difference:
    """A line for each difference."""

    worse: list[str] = field(default_factory=list)
    better: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)


def between(old: Document, new: Document) -> Difference:
    """Compare two runs, of one spec or of two.

    Worse is a check that passed and no longer does, that appeared and does not pass, or that is no longer judged
    without an accepted risk or a provider as the reason; and a step, a check or an experiment that takes at least RATIO
    times as long and SECONDS more. A change between `failed` and `error` is neither worse nor better.
    """
    difference = Difference()
    _compare_verdicts(old, new, difference)
    _compare_times(_times(old), _times(new), difference)
    return difference


def compare(old: Path, new: Path) -> tuple[str, bool]:
    """The comparison of two runs' folders as text, and whether anything is worse; raises store.Unreadable."""
    before, after = document.read(old), document.read(new)
    difference = between(before, after)
    return "\n".join(_lines(old, new, before, after, difference)) + "\n", bool(difference.worse)


def _lines(old: Path, new: Path, before: Document, after: Document, difference: Difference) -> Iterator[str]:
    yield f"old: {old}: {before.verdict}, in {duration(before.seconds)}"
    yield f"new: {new}: {after.verdict}, in {duration(after.seconds)}"
    for title, lines in (("worse", difference.worse), ("better", difference.better), ("also", difference.other)):
        if lines:
            yield from ["", f"{title} ({len(lines)}):", *(f"  {line}" for line in lines)]
    if not (difference.worse or difference.better or difference.other):
        yield from ["", "nothing is better or worse"]


def _compare_verdicts(old: Document, new: Document, difference: Difference) -> None:
    before, after = _verdicts(old), _verdicts(new)
    reasons = {**new.run.not_applicable, **{check: risk.reason for check, risk in new.run.accepted_risks.items()}}
    for name in sorted(before.keys() | after.keys()):
        match before.get(name), after.get(name):
            case None, now:
                side = difference.other if now == "passed" else difference.worse
                side.append(f"{name}: appeared, {now}")
            case was, None:
                reason = reasons.get(_check(name))
                side = difference.other if reason else difference.worse
                side.append(f"{name}: {was}, is no longer judged" + (f": {reason}" if reason else ""))
            case was, now if was != now:
                side = difference.better if now == "passed" else difference.other
                (difference.worse if was == "passed" else side).append(f"{name}: {was}, now {now}")


def _check(name: str) -> str:
    """The name of the check in the spec's accepted_risks."""
    return name.partition(": ")[2].partition(" on ")[0].partition("[")[0]


def _verdicts(run: Document) -> dict[str, str]:
    """The verdicts by check; if several cases share a name, the worst."""
    outcomes: dict[str, list[Outcome]] = {}
    for result in run.results:
        outcomes.setdefault(f"{result.component}: {result.name}", []).append(result.outcome)
    return {name: worst(cases) for name, cases in outcomes.items()}


def _times(run: Document) -> dict[str, float]:
    """Seconds by step, check and span of an experiment."""
    times = {
        f"{step.script}, {step.step} on {step.node}": (step.ended - step.started).total_seconds()
        for step in run.steps
        if step.ended
    }
    for result in run.results:
        name = f"{result.component}: {result.name}"
        times[name] = times.get(name, 0) + result.seconds
    for timeline in run.timelines:
        for span, seconds in timeline.seconds_to.items():
            times[f"{timeline.experiment}, time to {span}"] = seconds
    return times


def _compare_times(before: dict[str, float], after: dict[str, float], difference: Difference) -> None:
    for name in sorted(before.keys() & after.keys()):
        was, now = before[name], after[name]
        if abs(now - was) >= SECONDS and max(was, now) >= RATIO * min(was, now):
            ratio = f", {now / was:.2g} times as long" if was else ""
            side = difference.worse if now > was else difference.better
            side.append(f"{name}: took {duration(was)}, now {duration(now)}{ratio}")
