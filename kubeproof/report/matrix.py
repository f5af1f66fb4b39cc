"""The table of checks by nodes: a row for each check, in it every case of it that was judged."""

from dataclasses import dataclass, field
from itertools import groupby

from kubeproof.report.topology import pair_of, worst
from kubeproof.results.document import Document
from kubeproof.results.model import Result

AREAS = ("node", "cluster", "components")  # in this order; a team's own come after them


@dataclass(frozen=True)
class Row:
    """A check by its name alone; `cells` has its cases by node, and under no node those of the cluster."""

    check: str
    promise: str
    cells: dict[str, list[Result]]

    @property
    def cases(self) -> list[Result]:
        """All cases of the check."""
        return [case for cases in self.cells.values() for case in cases]

    @property
    def state(self) -> str:
        """The worst of its cases."""
        return worst([case.outcome for case in self.cases])


@dataclass(frozen=True)
class Component:
    """The checks of one file."""

    area: str
    name: str
    rows: list[Row] = field(default_factory=list)

    @property
    def cases(self) -> list[Result]:
        """All cases of all checks."""
        return [case for row in self.rows for case in row.cases]


def components(run: Document) -> list[Component]:
    """The components by area and name, with their rows by the check's name."""
    found = []
    for (area, component), mine in groupby(sorted(run.results, key=_place), key=lambda one: (one.area, one.component)):
        rows = [_row(check, list(cases), run) for check, cases in groupby(mine, key=_check)]
        found.append(Component(area, component, rows))
    return found


def _place(result: Result) -> tuple[int, str, str, str]:
    known = AREAS.index(result.area) if result.area in AREAS else len(AREAS)
    return known, result.area, result.component, _check(result)


def _check(result: Result) -> str:
    return result.check.partition("[")[0]


def _row(check: str, cases: list[Result], run: Document) -> Row:
    cells: dict[str, list[Result]] = {}
    for case in cases:
        pair = pair_of(case, run)
        cells.setdefault(case.node or (pair[0] if pair else ""), []).append(case)
    return Row(check, cases[0].promise, cells)
