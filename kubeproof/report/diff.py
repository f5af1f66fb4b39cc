"""What became better or worse from one run to another: verdicts, what is judged, and how long it took."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kubeproof.report.wording import duration
from kubeproof.results import document
from kubeproof.results.document import Document
from kubeproof.results.model import Result

# The same run on the same machine varies by a third, and short times by more: less than both of these is noise.
RATIO = 1.5
SECONDS = 5.0

SEVERITY = ("passed", "error", "failed")


@dataclass
class Difference:
    """One line for each thing that is not as it was."""

    worse: list[str] = field(default_factory=list)
    better: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)


def between(old: Document, new: Document) -> Difference:
    """Compare two runs, of the same spec or of another.

    Worse is: a check that passed and does not, that appeared and does not pass, or that is judged no more without an
    accepted risk or a provider that says why; and a step, a check or an experiment that takes at least RATIO times as
    long and SECONDS more. A check that failed and now can't be judged, or the other way round, is neither.
    """
    difference = Difference()
    _compare_verdicts(old, new, difference)
    _compare_times(_times(old), _times(new), difference)
    return difference


def told(old: Path, new: Path) -> tuple[str, bool]:
    """The comparison of two runs' folders as text, and whether anything is worse.

    Raises results.Unreadable.
    """
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
    before, after = _judged(old.results), _judged(new.results)
    reasons = {**new.run.not_applicable, **{name: risk.reason for name, risk in new.run.accepted_risks.items()}}
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
    """The check's own name, by which a spec accepts its risk."""
    return name.partition(": ")[2].partition(" on ")[0].partition("[")[0]


def _judged(results: Iterable[Result]) -> dict[str, str]:
    """The verdicts by check; of several cases under one name, the worst."""
    judged: dict[str, str] = {}
    for result in results:
        name = f"{result.component}: {result.name}"
        judged[name] = max(judged.get(name, "passed"), result.outcome, key=SEVERITY.index)
    return judged


def _times(run: Document) -> dict[str, float]:
    """Seconds by what took them."""
    times = {
        f"{step.script}, {step.step} on {step.node}": (step.ended - step.started).total_seconds()
        for step in run.steps
        if step.ended
    }
    for result in run.results:
        name = f"{result.component}: {result.name}"
        times[name] = times.get(name, 0) + result.seconds
    for timeline in run.timelines:
        for what, seconds in timeline.seconds_to.items():
            times[f"{timeline.experiment}, time to {what}"] = seconds
    return times


def _compare_times(before: dict[str, float], after: dict[str, float], difference: Difference) -> None:
    for name in sorted(before.keys() & after.keys()):
        was, now = before[name], after[name]
        line = f"{name}: took {duration(was)}, now {duration(now)}"
        if _is_longer(now, was):
            difference.worse.append(f"{line}{_times_as_long(now, was)}")
        elif _is_longer(was, now):
            difference.better.append(f"{line}{_times_as_long(now, was)}")


def _is_longer(one: float, other: float) -> bool:
    return one - other >= SECONDS and one >= RATIO * other


def _times_as_long(now: float, was: float) -> str:
    return f", {now / was:.2g} times as long" if was else ""
