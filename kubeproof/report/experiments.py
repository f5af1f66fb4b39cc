"""The timeline of an experiment as a chart: milestones, answers to the probes, and changes by kind."""

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from kubeproof.report.steps import Tick, ticks
from kubeproof.results.timeline import Moment, Probe, Timeline


@dataclass(frozen=True)
class Mark:
    """A milestone or a moment: `left` in per cent, `seconds` from the fault."""

    left: float
    seconds: float
    text: str


@dataclass(frozen=True)
class Stretch:
    """Consecutive probes with the same answer: `left` and `width` in per cent."""

    left: float
    width: float
    answered: bool
    title: str


@dataclass(frozen=True)
class Experiment:
    """The whole chart; seconds count from the fault, and are negative before it."""

    timeline: Timeline
    ticks: list[Tick]
    milestones: list[Mark]
    probes: dict[str, list[Stretch]]
    kinds: dict[str, list[Mark]]
    moments: list[tuple[float, Moment]]


def draw(timeline: Timeline) -> Experiment:
    """The chart of one experiment."""
    milestones = sorted(((name, at) for name, at in timeline.milestones if at), key=lambda milestone: milestone[1])
    moments = sorted(timeline.moments, key=lambda moment: moment.at)
    events = [*(at for _, at in milestones), *(one.at for one in moments), *(probe.at for probe in timeline.probes)]
    start, fault = min(events), timeline.milestones.fault
    whole = max((max(events) - start).total_seconds(), 1.0)

    def mark(at: datetime, text: str) -> Mark:
        return Mark(100 * (at - start).total_seconds() / whole, (at - fault).total_seconds(), text)

    kinds: dict[str, list[Mark]] = {kind: [] for kind in sorted({moment.kind for moment in moments})}
    for moment in moments:
        kinds[moment.kind].append(mark(moment.at, f"{moment.subject}: {moment.change}"))
    names = dict.fromkeys(probe.name for probe in timeline.probes)
    return Experiment(
        timeline,
        ticks(whole, (fault - start).total_seconds()),
        [mark(at, name) for name, at in milestones],
        {name: _stretches(timeline.probes, name, start, whole) for name in names},
        kinds,
        [((moment.at - fault).total_seconds(), moment) for moment in moments],
    )


def _stretches(probes: list[Probe], name: str, start: datetime, whole: float) -> list[Stretch]:
    """The stretches of the probes of that name: each lasts until the next probe, the last one until its own."""
    series = sorted((probe for probe in probes if probe.name == name), key=lambda probe: probe.at)
    groups = [list(group) for _, group in groupby(series, key=lambda probe: probe.answered)]
    ends = [*(group[0].at for group in groups[1:]), series[-1].at]
    stretches = []
    for group, end in zip(groups, ends, strict=True):
        begins, seconds = (group[0].at - start).total_seconds(), (end - group[0].at).total_seconds()
        answer = "answered" if group[0].answered else "not answered"
        title = f"{name}: {answer}, {len(group)} times in {seconds:.1f} s"
        stretches.append(Stretch(100 * begins / whole, 100 * seconds / whole, group[0].answered, title))
    return stretches
