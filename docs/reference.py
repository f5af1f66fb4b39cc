"""The reference of checks: a Sphinx directive that lists what pytest collects when the documentation is built."""

import io
import itertools
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass

import pytest
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from kubeproof.process import paths
from kubeproof.pytest_plugin import cases, selection
from kubeproof.results.model import AREAS

CHECKS = paths.CHECKOUT / "tests"
SUBJECTS = {"node": "each node", "worker_node": "each worker", "pair": "each ordered pair of nodes"}  # by fixture
TRAITS = {  # by mark
    "writes": "creates objects of its own",
    "once": "not repeated after experiments",
    "after_experiments": "judged only after experiments",
}


@dataclass(frozen=True)
class Check:
    """A check as its test function states it; `parameters` are those of its cases, without machines."""

    area: str
    component: str
    name: str
    promise: str
    subjects: list[str]
    parameters: list[str]
    steps: list[str]
    needs: list[str]
    traits: list[str]

    @property
    def facts(self) -> str:
        """The machines, parameters, responsible steps, needs and traits, in one line."""
        labelled = {
            "on": " and ".join(self.subjects),
            "for": ", ".join(self.parameters),
            "responsible:": "; ".join(self.steps),
            "needs": ", ".join(self.needs),
        }
        return "; ".join([*(f"{label} {text}" for label, text in labelled.items() if text), *self.traits])


class _Collector:
    def __init__(self) -> None:
        self.items: list[pytest.Item] = []

    @pytest.hookimpl(tryfirst=True)  # before the plugin leaves out checks that the spec states too little for
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.items = [*items]


def collect() -> list[tuple[str, list[Check]]]:
    """Each file's docstring with its checks, in pytest's order.

    Raises RuntimeError with pytest's output if pytest can't collect the checks.
    """
    collector, output = _Collector(), io.StringIO()
    with redirect_stdout(output):
        status = pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", str(CHECKS)], plugins=[collector])
    if status != pytest.ExitCode.OK:
        raise RuntimeError(f"pytest could not collect {CHECKS}:\n{output.getvalue()}")
    files: list[tuple[str, list[Check]]] = []
    items = sorted(collector.items, key=lambda item: [*AREAS].index(item.path.parent.name))
    for _, grouped in itertools.groupby(items, key=lambda item: item.path):
        first, *others = grouped
        by_check: dict[tuple[str, str], list[pytest.Item]] = {}
        for item in (first, *others):
            by_check.setdefault((item.nodeid.rpartition("::")[0], cases.check_name(item)), []).append(item)
        files.append((_first_paragraph(first, "module"), [_check(group) for group in by_check.values()]))
    return files


def _check(items: list[pytest.Item]) -> Check:
    item = items[0]
    return Check(
        area=item.path.parent.name,
        component=item.path.stem.removeprefix("test_").replace("_", " "),
        name=cases.check_name(item),
        promise=_first_paragraph(item, "function"),
        subjects=[subject for fixture, subject in SUBJECTS.items() if fixture in cases.fixtures(item)],
        parameters=list(dict.fromkeys(text for case in items if (text := _parameters(case)))),
        steps=[_step(mark) for mark in item.iter_markers("step")],
        needs=list(dict.fromkeys(need for case in items for need in selection.needs(case))),
        traits=list(_traits(item)),
    )


def _first_paragraph(item: pytest.Item, attribute: str) -> str:
    return " ".join((getattr(item, attribute).__doc__ or "").split("\n\n")[0].split())


def _parameters(item: pytest.Item) -> str:
    values = cases.parameters(item)
    return ", ".join(str(value) for name, value in values.items() if name not in {*SUBJECTS, "moment"})


def _step(mark: pytest.Mark) -> str:
    role = f" of a {mark.kwargs['role'].replace('-', ' ')}" if "role" in mark.kwargs else ""
    return f"{mark.args[0]}, {mark.args[1]}{role}"


def _traits(item: pytest.Item) -> Iterator[str]:
    experiment = item.get_closest_marker("experiment")
    if experiment:
        yield f"an experiment that claims {experiment.kwargs['claims']}"
    yield from (text for mark, text in TRAITS.items() if item.get_closest_marker(mark))
    for unless in item.iter_markers("unless"):
        yield f"only if the spec does not state {unless.args[0]}"


class Checks(SphinxDirective):
    """Puts the reference in the place of `{checks}`."""

    def run(self) -> list[nodes.Node]:
        """A section for each area, in it a section for each file, in it the file's checks."""
        self.env.note_dependency(str(CHECKS))
        self.env.note_reread()
        files = collect()
        count = sum(len(checks) for _, checks in files)
        result: list[nodes.Node] = [nodes.paragraph("", f"{count} checks, most of them with many cases.")]
        for area, of_area in itertools.groupby(files, key=lambda file: file[1][0].area):
            section = self._section(area, AREAS[area])
            for description, checks in of_area:
                component = self._section(f"{area}-{checks[0].component}", checks[0].component.capitalize())
                component += nodes.paragraph("", description)
                component += nodes.definition_list("", *(_entry(check) for check in checks))
                section += component
            result.append(section)
        return result

    def _section(self, name: str, title: str) -> nodes.section:
        section = nodes.section("", nodes.title("", title), names=[nodes.fully_normalize_name(name)])
        self.state.document.note_explicit_target(section)
        return section


def _entry(check: Check) -> nodes.definition_list_item:
    facts = [nodes.paragraph("", "", nodes.emphasis("", check.facts))] if check.facts else []
    body = nodes.definition("", nodes.paragraph("", check.promise), *facts)
    return nodes.definition_list_item("", nodes.term("", "", nodes.literal("", check.name)), body)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("checks", Checks)
    return {"parallel_read_safe": True}
