"""The drawing of the machines and of the directions between them, as the checks of ordered pairs judged them."""

import math
import re
from collections import Counter
from dataclasses import dataclass
from itertools import combinations

from kubeproof.results.document import Document
from kubeproof.results.model import Outcome, Result
from kubeproof.spec.scripts import CONTROL_PLANE

PAIR = re.compile(r"\[(?P<source>[^\]]+)-to-(?P<target>[^\]]+)\]$")
MOST = 24  # machines in a drawing
WIDTH, HEIGHT = 640, 460  # units of the drawing, which scales
FEW, EACH_MORE = 5, 60  # each machine above FEW adds so many units of height
ACROSS = 215  # half the width of the ellipse of machines
MARGIN = 100  # above and below the ellipse, for labels
RADIUS = 30
UNKNOWN = "unknown"
SEVERITY: tuple[Outcome, ...] = ("failed", "error", "passed")


@dataclass(frozen=True)
class Place:
    """A machine, its coordinates, and the outcomes of its checks."""

    name: str
    role: str
    address: str
    x: float
    y: float
    label_y: float
    state: str
    counts: Counter[Outcome]


@dataclass(frozen=True)
class Direction:
    """The half of a line that begins at a machine: traffic from that machine to the other end."""

    x1: float
    y1: float
    x2: float
    y2: float
    state: str
    title: str


@dataclass(frozen=True)
class Topology:
    """The whole drawing; `title` describes it for a screen reader."""

    places: list[Place]
    directions: list[Direction]
    title: str
    width: int
    height: int


def draw(run: Document) -> Topology | None:
    """Machines on an ellipse, the control plane at its top; each line has two halves, since each direction is judged.

    None without a machine, and for more than MOST: a reader could not tell their lines apart.
    """
    if not 0 < len(run.run.machines) <= MOST:
        return None
    height = HEIGHT + EACH_MORE * max(0, len(run.run.machines) - FEW)
    places = _places(run, height)
    results: dict[tuple[str, str], list[Result]] = {}
    for result in run.results:
        if pair := pair_of(result, run):
            results.setdefault(pair, []).append(result)
    directions = [
        _direction(start, end, results.get((start.name, end.name), []))
        for first, second in combinations(places, 2)
        for start, end in ((first, second), (second, first))
    ]
    good = sum(direction.state == "passed" for direction in directions)
    judged = sum(direction.state != UNKNOWN for direction in directions)
    machines = ", ".join(f"{place.name} {place.state}" for place in places)
    title = f"{machines}; {good} of {judged} judged directions between machines carry traffic"
    return Topology(places, directions, title, WIDTH, height)


def worst(outcomes: list[Outcome]) -> str:
    """The outcome of a group of checks: failed before error before passed, unknown if the group is empty."""
    return next((state for state in SEVERITY if state in outcomes), UNKNOWN)


def pair_of(result: Result, run: Document) -> tuple[str, str] | None:
    """The source and the target of a check of an ordered pair of machines; None of any other check."""
    found = PAIR.search(result.check)
    return (found["source"], found["target"]) if found and {*found.groups()} <= run.run.names else None


def _places(run: Document, height: int) -> list[Place]:
    machines = sorted(run.run.machines, key=lambda machine: machine.role != CONTROL_PLANE)
    places = []
    for index, machine in enumerate(machines):
        angle = 2 * math.pi * index / len(machines) - math.pi / 2
        x, y = WIDTH / 2 + ACROSS * math.cos(angle), height / 2 + (height / 2 - MARGIN) * math.sin(angle)
        label_y = y - RADIUS - 44 if y < height / 2 - RADIUS else y + RADIUS + 20
        outcomes = [result.outcome for result in run.results if result.node == machine.name]
        state, counts = worst(outcomes), Counter(outcomes)
        places.append(Place(machine.name, machine.role, machine.address, x, y, label_y, state, counts))
    return places


def _direction(start: Place, end: Place, results: list[Result]) -> Direction:
    length = math.hypot(end.x - start.x, end.y - start.y)
    along_x, along_y = (end.x - start.x) / length, (end.y - start.y) / length
    checks = ", ".join(f"{result.check.partition('[')[0]} {result.outcome}" for result in results) or "not judged"
    return Direction(
        start.x + along_x * (RADIUS + 6),
        start.y + along_y * (RADIUS + 6),
        (start.x + end.x) / 2 - along_x * 3,
        (start.y + end.y) / 2 - along_y * 3,
        worst([result.outcome for result in results]),
        f"{start.name} to {end.name}: {checks}",
    )
