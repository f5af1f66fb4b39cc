"""An experiment's timeline as a picture: its milestones, what its probes were answered, and what changed when."""

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from kubeproof.report.steps import Tick, ticks
from kubeproof.results.timeline import Moment, Probe, Timeline

ORDER = ("fault", "detected", "evicted", "mended", "recovered")


@dataclass(frozen=True)
class Mark:
    """A milestone, or a moment, and its place in per cent."""

    left: float
    seconds: float
    text: str


@dataclass(frozen=True)
class Stretch:
    """A time in which every answer to a probe was the same."""

    left: float
    width: float
    answered: bool
    said: str


@dataclass(frozen=True)
class Experiment:
    """The whole picture; seconds count from the fault, and are negative before it."""

    timeline: Timeline
    ticks: list[Tick]
    milestones: list[Mark]
    probes: dict[str, list[Stretch]]
    kinds: dict[str, list[Mark]]
    moments: list[tuple[float, Moment]]


def draw(timeline: Timeline) -> Experiment:
    """The picture of one experiment."""
    known = {name: at for name in ORDER if (at := getattr(timeline.milestones, name))}
    reached = dict(sorted(known.items(), key=lambda one: one[1]))
    times = [*reached.values(), *(one.at for one in timeline.moments), *(one.at for one in timeline.probes)]
    start, fault = min(times), timeline.milestones.fault
    whole = max((max(times) - start).total_seconds(), 1.0)

    def mark(at: datetime, text: str) -> Mark:
        return Mark(100 * (at - start).total_seconds() / whole, (at - fault).total_seconds(), text)

    before = (fault - start).total_seconds()

    moments = sorted(timeline.moments, key=lambda moment: moment.at)
    by_kind = sorted(moments, key=lambda moment: moment.kind)
    return Experiment(
        timeline,
        ticks(whole, before),
        [mark(at, name) for name, at in reached.items()],
        {
            name: _stretches(timeline.probes, name, start, whole)
            for name in {probe.name: 0 for probe in timeline.probes}
        },
        {
            kind: [mark(moment.at, f"{moment.subject}: {moment.change}") for moment in mine]
            for kind, mine in groupby(by_kind, key=lambda moment: moment.kind)
        },
        [((moment.at - fault).total_seconds(), moment) for moment in moments],
    )


def _stretches(probes: list[Probe], name: str, start: datetime, whole: float) -> list[Stretch]:
    """An answer holds until the next question; the last one is as wide as a mark."""
    mine = sorted((probe for probe in probes if probe.name == name), key=lambda probe: probe.at)
    runs = [list(run) for _, run in groupby(mine, key=lambda probe: probe.answered)]
    following = [*(run[0].at for run in runs[1:]), mine[-1].at]
    stretches = []
    for run, until in zip(runs, following, strict=True):
        begins, seconds = (run[0].at - start).total_seconds(), (until - run[0].at).total_seconds()
        answer = "answered" if run[0].answered else "not answered"
        said = f"{name}: {answer}, {len(run)} times in {seconds:.1f} s"
        stretches.append(Stretch(100 * begins / whole, 100 * seconds / whole, run[0].answered, said))
    return stretches
