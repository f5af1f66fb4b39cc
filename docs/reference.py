"""The reference of checks, made of what pytest collects each time the documentation is built."""

from __future__ import annotations

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

CHECKS = paths.CHECKOUT / "tests"
AREAS = {
    "node": "Each machine, over ssh",
    "cluster": "The cluster, by its API",
    "components": "Each component, when it runs and when it fails",
}
OF = {"node": "each node", "worker_node": "each worker", "pair": "each ordered pair of nodes"}


@dataclass(frozen=True)
class Check:
    """A check as its test states it; `cases` are the ids of what it is parametrised over beside machines."""

    area: str
    component: str
    name: str
    promise: str
    of: str
    cases: list[str]
    steps: list[str]
    needs: list[str]
    traits: list[str]


class _Collector:
    def __init__(self) -> None:
        self.items: list[pytest.Item] = []

    @pytest.hookimpl(tryfirst=True)  # before any check is left out for what a spec does not state
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.items = [*items]


def collect() -> list[tuple[str, list[Check]]]:
    """Every check of the inventory in pytest's order, by file, with what the file's docstring says.

    Raises RuntimeError with what pytest says if it can't collect them.
    """
    collector, said = _Collector(), io.StringIO()
    with redirect_stdout(said):
        status = pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", str(CHECKS)], plugins=[collector])
    if status != pytest.ExitCode.OK:
        raise RuntimeError(f"pytest could not collect {CHECKS}:\n{said.getvalue()}")
    files: list[tuple[str, list[Check]]] = []
    items = sorted(collector.items, key=lambda item: [*AREAS].index(item.path.parent.name))
    for _, of_file in itertools.groupby(items, key=lambda item: item.path):
        first, *others = of_file
        by_name: dict[tuple[str, str], list[pytest.Item]] = {}
        for item in (first, *others):
            by_name.setdefault((item.nodeid.rpartition("::")[0], cases.check_name(item)), []).append(item)
        files.append((_first_paragraph(first, "module"), [_check(cases) for cases in by_name.values()]))
    return files


def _check(items: list[pytest.Item]) -> Check:
    one = items[0]
    return Check(
        area=one.path.parent.name,
        component=one.path.stem.removeprefix("test_").replace("_", " "),
        name=cases.check_name(one),
        promise=_first_paragraph(one, "function"),
        of=" and ".join(said for fixture, said in OF.items() if fixture in one.fixturenames),  # type: ignore[attr-defined] # a test function's
        cases=list(dict.fromkeys(case for item in items if (case := _case(item)))),
        steps=[_step(mark) for mark in one.iter_markers("step")],
        needs=list(dict.fromkeys(need for item in items for need in selection.needs(item))),
        traits=list(_traits(one)),
    )


def _first_paragraph(item: pytest.Item, of: str) -> str:
    return " ".join((getattr(item, of).__doc__ or "").split("\n\n")[0].split())


def _case(item: pytest.Item) -> str:
    """The values of an item's parameters that are no machines."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return ", ".join(str(value) for name, value in parameters.items() if name not in {*OF, "moment"})


def _step(mark: pytest.Mark) -> str:
    role = f" of a {mark.kwargs['role'].replace('-', ' ')}" if "role" in mark.kwargs else ""
    return f"{mark.args[0]}, {mark.args[1]}{role}"


def _traits(item: pytest.Item) -> Iterator[str]:
    experiment = item.get_closest_marker("experiment")
    if experiment:
        yield f"an experiment, which claims {experiment.kwargs['claims']}"
    for mark, said in (
        ("writes", "makes objects of its own"),
        ("once", "not looked at again after experiments"),
        ("after_experiments", "looked at after experiments alone"),
    ):
        if item.get_closest_marker(mark):
            yield said
    for unless in item.iter_markers("unless"):
        yield f"only where the spec does not state {unless.args[0]}"


class Checks(SphinxDirective):
    """Puts the reference in place of `{checks}`."""

    def run(self) -> list[nodes.Node]:
        """A section for each area, in it one for each file, in it the checks."""
        self.env.note_dependency(str(CHECKS))
        self.env.note_reread()
        found = collect()
        count = sum(len(checks) for _, checks in found)
        made: list[nodes.Node] = [nodes.paragraph("", f"{count} checks, each of them of many machines or cases.")]
        for area, files in itertools.groupby(found, key=lambda one: one[1][0].area):
            section = self._section(area, AREAS[area])
            for says, checks in files:
                component = self._section(f"{area}-{checks[0].component}", checks[0].component.capitalize())
                component += nodes.paragraph("", says)
                component += nodes.definition_list("", *(_entry(check) for check in checks))
                section += component
            made.append(section)
        return made

    def _section(self, name: str, title: str) -> nodes.section:
        section = nodes.section("", nodes.title("", title), names=[nodes.fully_normalize_name(name)])
        self.state.document.note_explicit_target(section)
        return section


def _entry(check: Check) -> nodes.definition_list_item:
    facts = [
        f"{name} {', '.join(values)}"
        for name, values in (
            ("of", [check.of] if check.of else []),
            ("for", check.cases),
            ("owed by", check.steps),
            ("needs", check.needs),
            ("", check.traits),
        )
        if values
    ]
    told = nodes.paragraph("", "", nodes.emphasis("", "; ".join(fact.strip() for fact in facts)))
    body = nodes.definition("", nodes.paragraph("", check.promise), *([told] if facts else []))
    return nodes.definition_list_item("", nodes.term("", "", nodes.literal("", check.name)), body)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("checks", Checks)
    return {"parallel_read_safe": True}
