"""The picture of the machines and of the ways between them, as the checks of ordered pairs found them."""

import math
import re
from collections import Counter
from dataclasses import dataclass
from itertools import combinations

from kubeproof.results.document import Document
from kubeproof.results.model import Outcome, Result

PAIR = re.compile(r"\[(?P<one>[^\]]+)-to-(?P<other>[^\]]+)\]$")
WIDTH, HEIGHT = 640, 460  # units of the drawing, which scales; of as many machines as FEW
MOST = 24  # machines in it
FEW, EACH_MORE = 5, 60  # each machine more makes it higher by so much
ACROSS = 215  # half of the ellipse that the machines stand on
MARGIN = 100  # above and below it, for labels
RADIUS = 30
UNKNOWN = "unknown"
SEVERITY = ("failed", "error", "passed")


@dataclass(frozen=True)
class Place:
    """A machine, where it stands in the drawing, and how its checks ended."""

    name: str
    role: str
    address: str
    x: float
    y: float
    label_y: float
    state: str
    counts: Counter[Outcome]


@dataclass(frozen=True)
class Way:
    """The half of a line that leaves its machine: the way from there to the machine at the other end."""

    x1: float
    y1: float
    x2: float
    y2: float
    state: str
    title: str


@dataclass(frozen=True)
class Topology:
    """The whole picture; `said` tells it without seeing it."""

    places: list[Place]
    ways: list[Way]
    said: str
    width: int
    height: int


def draw(run: Document) -> Topology | None:
    """Machines on an ellipse, the control plane at its top; each line is halved, since each direction is judged.

    None of no machine, and of more than anybody could tell apart, whose ways would be the most of the report.
    """
    if not 0 < len(run.run.machines) <= MOST:
        return None
    height = HEIGHT + EACH_MORE * max(0, len(run.run.machines) - FEW)
    places = _places(run, height)
    pairs = _pairs(run)
    ways = [
        _way(start, end, pairs.get((start.name, end.name), []))
        for one, other in combinations(places, 2)
        for start, end in ((one, other), (other, one))
    ]
    good = sum(way.state == "passed" for way in ways)
    judged = sum(way.state != UNKNOWN for way in ways)
    machines = ", ".join(f"{place.name} {place.state}" for place in places)
    return Topology(
        places, ways, f"{machines}; {good} of {judged} judged ways between machines carry traffic", WIDTH, height
    )


def worst(outcomes: list[Outcome]) -> str:
    """What a group of checks comes to: failed before error before passed, unknown if none was judged."""
    return next((state for state in SEVERITY if state in outcomes), UNKNOWN)


def pair_of(result: Result, run: Document) -> tuple[str, str] | None:
    """The machines from and to which a check of an ordered pair looked; None of any other check."""
    found = PAIR.search(result.check)
    return (found["one"], found["other"]) if found and {found["one"], found["other"]} <= run.run.names else None


def _places(run: Document, height: int) -> list[Place]:
    machines = sorted(run.run.machines, key=lambda machine: machine.role != "control-plane")
    places = []
    for index, machine in enumerate(machines):
        angle = 2 * math.pi * index / len(machines) - math.pi / 2
        x, y = WIDTH / 2 + ACROSS * math.cos(angle), height / 2 + (height / 2 - MARGIN) * math.sin(angle)
        outcomes = [result.outcome for result in run.results if result.node == machine.name]
        above = y < height / 2 - RADIUS
        label_y = y - RADIUS - 44 if above else y + RADIUS + 20
        state, counts = worst(outcomes), Counter(outcomes)
        places.append(Place(machine.name, machine.role, machine.address, x, y, label_y, state, counts))
    return places


def _pairs(run: Document) -> dict[tuple[str, str], list[Result]]:
    pairs: dict[tuple[str, str], list[Result]] = {}
    for result in run.results:
        pair = pair_of(result, run)
        if pair:
            pairs.setdefault(pair, []).append(result)
    return pairs


def _way(start: Place, end: Place, judged: list[Result]) -> Way:
    length = math.hypot(end.x - start.x, end.y - start.y)
    along_x, along_y = (end.x - start.x) / length, (end.y - start.y) / length
    state = worst([result.outcome for result in judged])
    checks = ", ".join(f"{result.check.partition('[')[0]} {result.outcome}" for result in judged) or "not judged"
    return Way(
        start.x + along_x * (RADIUS + 6),
        start.y + along_y * (RADIUS + 6),
        (start.x + end.x) / 2 - along_x * 3,
        (start.y + end.y) / 2 - along_y * 3,
        state,
        f"{start.name} to {end.name}: {checks}",
    )
