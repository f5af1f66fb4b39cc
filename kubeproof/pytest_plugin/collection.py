"""Collection: a case for each node or pair, the ones that the spec lets be judged, in the order to run them."""

import gc
import inspect
from collections.abc import Generator

import pytest

from kubeproof.pytest_plugin import batches, schedule, selection
from kubeproof.pytest_plugin.cases import AGAIN, PREFIX, case, fixtures, is_check, is_of, parameters
from kubeproof.pytest_plugin.options import may_disrupt
from kubeproof.pytest_plugin.reporting import facts_of
from kubeproof.pytest_plugin.stash import BATCH, BATCHES_WANTED, HANDOVER, NOT_JUDGED, PREPARED, SPEC
from kubeproof.spec.pairs import pairs

SEVERAL = "several machines"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a case for each machine, worker or ordered pair of machines that a check asks for, or for a batch of them.

    A check that only reads gets each case twice if there may be experiments: the second is for after them.
    """
    config, names = metafunc.config, metafunc.fixturenames
    spec, batch = config.stash[SPEC], config.stash[BATCH]
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    reads = f"{PREFIX}cluster" in names and not metafunc.cls and not marks & {"once", "after_experiments"}
    if reads and may_disrupt(config, spec):
        names.append(f"{PREFIX}moment")
        again = pytest.param(AGAIN, marks=pytest.mark.after_experiments)
        metafunc.parametrize(f"{PREFIX}moment", [pytest.param("", id=pytest.HIDDEN_PARAM), again], indirect=True)
    nodes = [node.name for node in spec.nodes]
    for fixture, values in (
        ("node", nodes),
        ("worker_node", [node.name for node in spec.workers]),
        ("pair", pairs(nodes)),
    ):
        if f"{PREFIX}{fixture}" in names:
            judged = batch.get(fixture) or (batches.of(values) if config.stash[BATCHES_WANTED] else values)
            metafunc.parametrize(f"{PREFIX}{fixture}", judged, ids=[case(value) for value in judged], indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector away from what is collected: it took a third of the time, and finds nothing."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cases that this spec does not let be judged or accepts; put the rest in the order to run them."""
    spec, prepared = config.stash[SPEC], config.stash[PREPARED]
    checks = [item for item in items if is_check(item)]
    left_out = {*checks}
    if prepared and prepared.machines:
        checks = [item for item in checks if is_of(item, prepared.machines)]
    again = {item for item in checks if parameters(item).get("moment") == AGAIN}
    may_change = may_disrupt(config, spec)
    first = [item for item in checks if item not in again]
    judged, config.stash[NOT_JUDGED] = selection.divide(first, spec, may_change=may_change)
    if any(schedule.phase(item) is schedule.Phase.EXPERIMENT for item in judged):
        judged += selection.divide([item for item in checks if item in again], spec, may_change=may_change)[0]
    left_out -= {*judged}
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]
    units = schedule.plan(items, [node.name for node in spec.workers])
    items[:] = [items[index] for unit in units for index in unit.items]


@pytest.hookimpl(tryfirst=True)  # xdist's tells the controller that the collection is done
def pytest_collection_finish(session: pytest.Session) -> None:
    """Hand over what the marks say: xdist's controller knows only the names of tests."""
    config, items = session.config, session.items
    if config.option.collectonly:
        return
    handover = config.stash[HANDOVER]
    units = schedule.plan(items, [node.name for node in config.stash[SPEC].workers])
    for unit in units:
        item = items[unit.items[0]]
        unit.responsible, unit.asks = _responsible(item), _asks(item)
        unit.tests = sum(batches.count(items[index]) for index in unit.items)
    handover.plan = units
    handover.not_judged = config.stash[NOT_JUDGED]
    if any(is_check(item) for item in items):
        handover.want_cluster()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run the tests of a batch, each as an item of its own."""
    tests, session = batches.tests(item), item.session
    if not tests:
        return None
    place = session.items.index(item)
    for test, following in zip(tests, [*tests[1:], nextitem], strict=True):
        session.items[place] = test  # xdist's worker looks there for the item of a report
        item.ihook.pytest_runtest_protocol(item=test, nextitem=following)
        if session.shouldfail or session.shouldstop:
            break
    session.items[place] = item
    return True


def _responsible(item: pytest.Item) -> list[str]:
    """Machine, script and step of a case that asks one machine alone; nothing of any other case, or of a batch."""
    asks = {name.removeprefix(PREFIX) for name in inspect.signature(getattr(item, "function", item.runtest)).parameters}
    # `api` counts also where another fixture asks for it; `enter` only by name: every machine's own fixture has it.
    alone = "api" not in fixtures(item) and not asks & {"enter", "restarts"}
    single = is_check(item) and alone and not batches.stands_for_more(item)
    if not single or schedule.phase(item) is not schedule.Phase.READ:
        return []
    facts = dict(facts_of(item))
    machine = facts.get("node", "") or _asks(item)
    return [machine, facts["script"], facts["step"]] if machine and "step" in facts else []


def _asks(item: pytest.Item) -> str:
    """The machine, or SEVERAL, that a test by itself asks; nothing if it asks none, or is one of a class."""
    if getattr(item, "cls", None):
        return ""
    names, values = fixtures(item), parameters(item)
    named = (values.get("node") or values.get("worker_node")) if "enter" in names else ""
    if not named and "control_plane" in names:
        named = item.config.stash[SPEC].control_plane.name
    return str(named or (SEVERAL if "enter" in names else ""))
