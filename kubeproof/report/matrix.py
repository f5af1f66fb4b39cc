"""The table of checks by nodes: a row for each check, with a mark for each of its cases."""

from dataclasses import dataclass
from itertools import groupby

from kubeproof.report.topology import pair_of, worst
from kubeproof.results.document import Document
from kubeproof.results.model import Result


@dataclass(frozen=True)
class Row:
    """A check without its parameters; `cells` are its cases by node, with "" for those of the whole cluster."""

    check: str
    promise: str
    cells: dict[str, list[Result]]

    @property
    def cases(self) -> list[Result]:
        """All cases of the check."""
        return [case for cases in self.cells.values() for case in cases]

    @property
    def state(self) -> str:
        """The worst outcome of its cases."""
        return worst([case.outcome for case in self.cases])


@dataclass(frozen=True)
class Component:
    """The checks of one test file."""

    area: str
    name: str
    rows: list[Row]

    @property
    def cases(self) -> list[Result]:
        """All cases of all checks."""
        return [case for row in self.rows for case in row.cases]


def components(run: Document) -> list[Component]:
    """The components by area and name, with their rows by the check's name."""
    results = sorted(run.results, key=lambda result: (result.area_order, result.area, result.component, _check(result)))
    return [
        Component(area, name, [_row(check, list(cases), run) for check, cases in groupby(group, key=_check)])
        for (area, name), group in groupby(results, key=lambda result: (result.area, result.component))
    ]


def _check(result: Result) -> str:
    return result.check.partition("[")[0]


def _row(check: str, cases: list[Result], run: Document) -> Row:
    cells: dict[str, list[Result]] = {}
    for case in cases:
        pair = pair_of(case, run)
        cells.setdefault(case.node or (pair[0] if pair else ""), []).append(case)
    return Row(check, cases[0].promise, cells)
