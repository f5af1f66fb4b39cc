"""The bring-up as a timeline: a lane for each machine, with a bar for each step."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kubeproof.results.steps import ScriptStep

NICE_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
MOST_TICKS = 8


@dataclass(frozen=True)
class Bar:
    """A step: `left` and `width` in per cent of the whole; `seconds` is None if it never ended."""

    step: ScriptStep
    left: float
    width: float
    begins: float
    seconds: float | None

    @property
    def ended_well(self) -> bool:
        """Whether it ended with status 0."""
        return self.step.status == 0


@dataclass(frozen=True)
class Tick:
    """A mark on the axis: seconds since the start, and its place in per cent."""

    seconds: int
    left: float


@dataclass(frozen=True)
class BringUp:
    """The whole timeline."""

    started: datetime
    seconds: float
    scripts: list[str]
    lanes: dict[str, list[Bar]]
    ticks: list[Tick]

    @property
    def bars(self) -> list[Bar]:
        """The steps without an end, then the others, the longest first."""
        bars = [bar for lane in self.lanes.values() for bar in lane]
        return sorted(bars, key=lambda bar: -(bar.seconds if bar.seconds is not None else self.seconds))


def draw(steps: Sequence[ScriptStep]) -> BringUp | None:
    """The timeline of these steps; None if there are none."""
    if not steps:
        return None
    start = min(step.started for step in steps)
    end = max(step.ended or step.started for step in steps)
    whole = max((end - start).total_seconds(), 1.0)
    lanes: dict[str, list[Bar]] = {}
    for step in steps:
        begins = (step.started - start).total_seconds()
        seconds = (step.ended - step.started).total_seconds() if step.ended else None
        shown = seconds if seconds is not None else whole - begins
        bar = Bar(step, 100 * begins / whole, 100 * shown / whole, begins, seconds)
        lanes.setdefault(step.node, []).append(bar)
    return BringUp(start, whole, list(dict.fromkeys(step.script for step in steps)), lanes, ticks(whole))


def ticks(whole: float, before: float = 0) -> list[Tick]:
    """A readable number of marks at round seconds from 0, which lies `before` seconds after the start of the whole."""
    every = next((seconds for seconds in NICE_SECONDS if whole / seconds <= MOST_TICKS), NICE_SECONDS[-1])
    return [Tick(at, 100 * (before + at) / whole) for at in range(0, int(whole - before) + 1, every)]
