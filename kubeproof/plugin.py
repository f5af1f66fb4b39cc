"""The pytest plugin: options, the cluster's fixtures, and what every check is asked to carry.

The process that the person started (xdist's controller, or the only one) brings the cluster up, orders the tests,
keeps the results and destroys what it made. Workers judge.
"""

from __future__ import annotations

import gc
import inspect
import os
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from kubeproof import batches, commands, paths, questions, schedule, scope
from kubeproof.scope import check_name
from kubeproof.spec import Existing, Node, Spec, SpecError, load

if TYPE_CHECKING:  # the rest is imported where it is used: every pytest that has this plugin starts with it
    from kubernetes.client.models import V1Node
    from testinfra.host import Host
    from xdist.workermanage import WorkerController

    from kubeproof.api import Api
    from kubeproof.cluster import Cluster, Restarts
    from kubeproof.entered import Entered
    from kubeproof.experiment import Experiment
    from kubeproof.handover import Handover
    from kubeproof.stopping import Stopping

SPEC = pytest.StashKey[Spec]()
NOT_JUDGED = pytest.StashKey[dict[str, str]]()
ENTERED: pytest.StashKey[Entered | None] = pytest.StashKey()
AGAIN = "again"
SEVERAL = "several machines"
HANDOVER: pytest.StashKey[Handover] = pytest.StashKey()
STOPPING: pytest.StashKey[Stopping] = pytest.StashKey()
COMPARED = pytest.StashKey[tuple[str, str]]()
FEWEST_WORKERS = 3  # experiments mostly wait: three run side by side on one core as well


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("kubeproof")
    group.addoption(
        "--cluster",
        type=Path,
        default=paths.DEFAULT_SPEC,
        metavar="FILE",
        help="the spec of the cluster to judge (--cluster=FILE: with a space, pytest takes FILE for its rootdir)",
    )
    group.addoption("--keep-cluster", action="store_true", help="leave the cluster up, for the next run or to look")
    group.addoption(
        "--allow-disruption",
        metavar="NAME",
        default="",
        help="also judge what changes a cluster that exists already: NAME is its spec's, so that it is no other's",
    )
    group.addoption(
        "--reports", type=Path, default=Path("reports"), metavar="DIR", help="where the run's folder of results goes"
    )
    group.addoption(
        "--entered",
        type=Path,
        metavar="FILE",
        help="judge machines that another program brought up: FILE is what kubeproof.entered wrote of them",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse a bad spec before anything starts."""
    for marker in (
        "step(script, name, role): the step of a provisioning script that owes the fact, on nodes of that role",
        "experiment(claims, lasts): a class that makes a fault; claims='a node' (see the experiment fixture), "
        "'the cluster', or 'nothing' where only its own pods break, which then is done among the reads; lasts is about "
        "how many seconds it takes, so that machines are shared out well",
        "after_experiments: a last look at the baseline",
        *scope.MARKERS,
        "once: a fact that experiments rightly change: not looked at again after them",
    ):
        config.addinivalue_line("markers", marker)
    file = Path(os.path.realpath(config.getoption("cluster")))  # a loop of links is for load() to refuse
    try:
        config.stash[SPEC] = load(file)
        if not isinstance(config.stash[SPEC], Existing) and not _is_worker(config):
            from kubeproof import hosting

            hosting.of(config.stash[SPEC].provider).refuse_impossible(config.stash[SPEC], file)
    except SpecError as error:
        raise pytest.UsageError(f"the spec can't be used:\n{error}") from None
    allowed, name = config.getoption("allow_disruption"), config.stash[SPEC].name
    if allowed not in ("", name):
        raise pytest.UsageError(f"--allow-disruption names {allowed}, but the cluster of the spec {file} is {name}")
    config.stash[ENTERED] = None
    if config.getoption("entered"):
        from kubeproof.entered import Entered

        config.stash[ENTERED] = Entered.read(config.getoption("entered"))
    names = [node.name for node in config.stash[SPEC].nodes]
    # Of machines that another program brought up it may be some that are to be judged.
    config.stash[batches.WANTED] = not config.stash[ENTERED] and batches.are_wanted(config, names)
    config.stash[batches.NOW] = {}
    if config.option.collectonly:
        return
    from kubeproof.handover import Handover

    if _is_worker(config):
        # Left alone it would go on with its experiment for a while, beside the next run, which mends from the journal.
        commands.die_with_parent()
        config.stash[HANDOVER] = Handover(Path(config.workerinput["kubeproof_handover"]))  # type: ignore[attr-defined] # xdist's
    else:
        from kubeproof import temporary
        from kubeproof.stopping import Stopping

        closing = ExitStack()
        config.add_cleanup(closing.close)
        config.stash[STOPPING] = closing.enter_context(Stopping())
        config.stash[HANDOVER] = Handover(closing.enter_context(temporary.folder()))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """Tell a worker of xdist where to find what the controller knows."""
    node.workerinput["kubeproof_handover"] = str(node.config.stash[HANDOVER].folder)


@pytest.hookimpl(wrapper=True)
def pytest_sessionstart(session: pytest.Session) -> Generator[None]:
    """Load what brings a cluster up and keeps the results, while xdist's workers, which were just started, collect."""
    yield
    config = session.config
    if STOPPING not in config.stash:
        return
    from kubeproof.conductor import Conductor
    from kubeproof.recorder import Recorder

    spec, handover = config.stash[SPEC], config.stash[HANDOVER]
    recorder = Recorder(config, spec, handover)
    config.pluginmanager.register(recorder, "kubeproof-recorder")
    # Registered later, it ends the cluster when the report is written.
    conductor = Conductor(config, spec, handover, recorder, config.stash[ENTERED], stopping=config.stash[STOPPING])
    config.pluginmanager.register(conductor, "kubeproof-conductor")


def _may_disrupt(config: pytest.Config) -> bool:
    spec = config.stash[SPEC]
    return not isinstance(spec, Existing) or config.getoption("allow_disruption") == spec.name


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: a worker for each core, three at least."""
    return max(FEWEST_WORKERS, psutil.cpu_count() or 1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each machine, worker, or ordered pair of machines that a check asks for, or for a batch of them.

    A check that only looks gets another, for when all experiments are done, where there may be any.
    """
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    looks = "cluster" in metafunc.fixturenames and not metafunc.cls and not marks & {"once", "after_experiments"}
    if looks and _may_disrupt(metafunc.config):
        metafunc.fixturenames.append("moment")
        again = pytest.param(AGAIN, marks=pytest.mark.after_experiments)
        metafunc.parametrize("moment", [pytest.param("", id=pytest.HIDDEN_PARAM), again], indirect=True)
    config = metafunc.config
    spec, now = config.stash[SPEC], config.stash[batches.NOW]
    names = [node.name for node in spec.nodes]
    for fixture, values in (
        ("node", names),
        ("worker_node", [node.name for node in spec.workers]),
        ("pair", scope.pairs(names)),
    ):
        if fixture in metafunc.fixturenames:
            judged = now.get(fixture) or (batches.of(values) if config.stash[batches.WANTED] else values)
            metafunc.parametrize(fixture, judged, ids=[scope.case(value) for value in judged], indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep all that is collected to the end: going through it again and again took a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what can't be judged by this spec and what is accepted; put the rest in the order to run it."""
    spec = config.stash[SPEC]
    again = {item for item in items if scope.parameters(item).get("moment") == AGAIN}
    checks = [item for item in items if _is_check(item)]
    entered = config.stash[ENTERED]
    if entered and entered.machines:
        checks = [item for item in checks if scope.is_of(item, entered.machines)]
    may_change = _may_disrupt(config)
    first = [item for item in checks if item not in again]
    judged, config.stash[NOT_JUDGED] = scope.divide(first, spec, may_change=may_change)
    if any(schedule.phase(item) is schedule.Phase.EXPERIMENT for item in judged):
        judged += scope.divide([item for item in checks if item in again], spec, may_change=may_change)[0]
    left_out = {item for item in items if _is_check(item)} - {*judged}
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]
    units = schedule.plan(items, [node.name for node in spec.workers])
    items[:] = [items[index] for unit in units for index in unit.items]


@pytest.hookimpl(tryfirst=True)  # xdist's tells the controller that the collection is done
def pytest_collection_finish(session: pytest.Session) -> None:
    """Hand over what the tests' marks say: xdist's controller knows only their names."""
    if not session.config.option.collectonly:
        nodes = [node.name for node in session.config.stash[SPEC].workers]
        handover = session.config.stash[HANDOVER]
        units = schedule.plan(session.items, nodes)
        for unit in units:
            item = session.items[unit.items[0]]
            unit.owed, unit.asks = _owed(item), _asks(item)
            unit.tests = sum(batches.count(session.items[index]) for index in unit.items)
        schedule.write(units, handover.plan)
        handover.not_judged = session.config.stash[NOT_JUDGED]
        if any(_is_check(item) for item in session.items):
            handover.want_cluster()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave what there is to the end of the process, which needs none of it looked through."""
    if HANDOVER in session.config.stash and session.config.stash[HANDOVER].wants_cluster:
        gc.freeze()


def _is_check(item: pytest.Item) -> bool:
    return "cluster" in getattr(item, "fixturenames", ())


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    """Note what a failing comparison saw and expected, for the report."""
    # A check compares what is seen, on the left, with what is expected; or it looks for something in what is seen.
    if op in ("in", "not in"):
        config.stash[COMPARED] = (repr(right), f"{left!r} is {op} it")
    else:
        config.stash[COMPARED] = (repr(left), repr(right) if op == "==" else f"{op} {right!r}")
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run the tests of a batch, each as an item of its own."""
    tests, session = batches.tests(item), item.session
    if not tests:
        return None
    place = session.items.index(item)
    for one, following in zip(tests, [*tests[1:], nextitem], strict=True):
        session.items[place] = one  # where xdist's worker expects whatever is reported of
        item.ihook.pytest_runtest_protocol(item=one, nextitem=following)
        if session.shouldfail or session.shouldstop:
            break
    session.items[place] = item
    return True


@pytest.hookimpl(tryfirst=True)  # before its fixtures are made
def pytest_runtest_setup() -> None:
    """A check begins to ask."""
    questions.forget()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give each check's report what a person asks for: node, promise, responsible step; if red, what was seen."""
    from kubeproof import node as machines
    from kubeproof.redaction import redact
    from kubeproof.waiting import NotInTime

    made = yield
    if not _is_check(item) or (made.passed and made.when != "call"):
        return made
    known = dict(_of_check(item))
    if made.failed:
        error = call.excinfo.value if call.excinfo else None
        if isinstance(error, machines.Unreachable):
            made.when = "setup"  # unreachable is an error wherever it is found: no fact was seen to be wrong
        compared = item.config.stash.get(COMPARED, None)
        if compared:
            known["seen"], known["expected"] = (redact(text) for text in compared)
        if isinstance(error, NotInTime):
            known["seen"], known["expected"] = redact(error.seen), redact(error.expected)
        known["message"] = redact(str(error or ""))
        if isinstance(error, BaseExceptionGroup):  # of which pytest tells but the number, and where Python met them
            known["message"] = redact("; ".join(str(one) for one in error.exceptions))
            each = [item.repr_failure(pytest.ExceptionInfo.from_exception(one)) for one in error.exceptions]
            made.longrepr = "\n".join(str(one) for one in each)
        question = questions.last()
        known["machine"], known["command"] = question.machine, redact(question.command)
        known["evidence"] = _keep_evidence(item, known.get("node", ""))
        made.sections.append(("kubeproof", "\n".join(f"{key}: {value}" for key, value in known.items() if value)))
    item.config.stash[COMPARED] = ("", "")
    made.user_properties.extend(known.items())
    return made


def _of_check(item: pytest.Item) -> Iterator[tuple[str, str]]:
    parameters = scope.parameters(item)
    moment = parameters.pop("moment", "")
    where = parameters.pop("node", "") or parameters.pop("worker_node", "")
    cases = [scope.case(value) for value in parameters.values()]
    yield "check", check_name(item) + "".join(f"[{case}]" for case in [*cases, moment] if case)
    yield "promise", " ".join((getattr(item, "function", item).__doc__ or "").split("\n\n")[0].split())
    if where:
        yield "node", where
    spec = item.config.stash[SPEC]
    if not spec.states("scripts"):
        return  # whoever made the cluster, it was none of the steps that the marks know
    _, judged = parameters.get("pair", ("", where))
    role = spec.node(judged).role if judged else ""
    for step in item.iter_markers("step"):
        if step.kwargs.get("role", role) == role:
            yield "script", step.args[0]
            yield "step", step.args[1]
            break


def _owed(item: pytest.Item) -> list[str]:
    """Machine, script and step of a check that asks one machine alone; nothing of any other, a batch's among them."""
    asks = set(inspect.signature(getattr(item, "function", item.runtest)).parameters)
    # The API counts by whatever fixture it is asked; `enter` only by name: every machine's own fixture has it.
    alone = "api" not in getattr(item, "fixturenames", ()) and not asks & {"enter", "restarts"}
    single = _is_check(item) and alone and not batches.stands_for_more(item)
    if not single or schedule.phase(item) is not schedule.Phase.READ:
        return []
    known = dict(_of_check(item))
    machine = known.get("node", "") or _asks(item)
    return [machine, known["script"], known["step"]] if machine and "step" in known else []


def _asks(item: pytest.Item) -> str:
    """The machine, or SEVERAL, that a test by itself asks; nothing where it asks none, or is one of a class."""
    fixtures, parameters = getattr(item, "fixturenames", ()), scope.parameters(item)
    if getattr(item, "cls", None):
        return ""
    named = (parameters.get("node") or parameters.get("worker_node")) if "enter" in fixtures else ""
    if not named and "control_plane" in fixtures:
        named = item.config.stash[SPEC].control_plane.name
    return str(named or (SEVERAL if "enter" in fixtures else ""))


def _keep_evidence(item: pytest.Item, where: str) -> str:
    from kubeproof import evidence
    from kubeproof import node as machines
    from kubeproof.api import Api

    handover = item.config.stash[HANDOVER]
    cluster, folder = handover.cluster, handover.report
    if where and item.config.stash[SPEC].ssh:
        kept = evidence.of_machine(folder / "evidence", where, lambda: machines.enter(where, cluster.ssh_config))
    else:
        kept = evidence.of_cluster(folder / "evidence", lambda: Api(cluster.kubeconfig))
    return str(kept.relative_to(folder))


@pytest.fixture(scope="session")
def spec(pytestconfig: pytest.Config) -> Spec:
    """What the cluster is to be."""
    return pytestconfig.stash[SPEC]


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Cluster:
    """The cluster, up; every check asks for it, directly or not."""
    return pytestconfig.stash[HANDOVER].cluster


@pytest.fixture(scope="session")
def enter(cluster: Cluster) -> Callable[[str], Host]:
    """Enter a machine by name."""
    from kubeproof import node as machines

    return lambda name: machines.enter(name, cluster.ssh_config)


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Api:
    """The API, as the cluster's administrator."""
    from kubeproof.api import Api

    return Api(cluster.kubeconfig)


@pytest.fixture(scope="session")
def restarts(pytestconfig: pytest.Config, cluster: Cluster) -> Restarts:
    """What had restarted, and how often, when the run first looked at `cluster`."""
    del cluster
    return pytestconfig.stash[HANDOVER].restarts


@pytest.fixture
def moment(request: pytest.FixtureRequest) -> str:
    """When a check looks: "again" after all experiments."""
    return str(request.param)


@pytest.fixture
def node(request: pytest.FixtureRequest, spec: Spec) -> Node:
    """Each node of the spec in turn."""
    return spec.node(request.param)


@pytest.fixture
def registered_node(api: Api, node: Node) -> V1Node:
    """The node as the API knows it; where it does not, that is the failure of node_is_registered alone."""
    return _registered(api, node.name)


@pytest.fixture
def worker_node(request: pytest.FixtureRequest, spec: Spec) -> Node:
    """Each worker of the spec in turn."""
    return spec.node(request.param)


@pytest.fixture
def registered_worker(api: Api, worker_node: Node) -> V1Node:
    """The same of a worker."""
    return _registered(api, worker_node.name)


def _registered(api: Api, name: str) -> V1Node:
    from kubernetes.client import ApiException

    try:
        return api.core.read_node(name)
    except ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
    pytest.fail(f"{name} is no node of the cluster: `kubectl get nodes` does not list it", pytrace=False)


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each ordered pair of node names in turn: from, to."""
    one, other = request.param
    return one, other


@pytest.fixture
def machine(node: Node, enter: Callable[[str], Host]) -> Host:
    """The machine of `node`, entered over ssh."""
    return enter(node.name)


@pytest.fixture(scope="session")
def control_plane(spec: Spec, enter: Callable[[str], Host]) -> Host:
    """The control plane's machine, entered over ssh."""
    return enter(spec.control_plane.name)


@pytest.fixture(scope="session")
def margin(spec: Spec) -> float:
    """Seconds that a fact may take beyond the cluster's own timers."""
    return spec.experiments.margin_seconds


@pytest.fixture(scope="class")
def claims(request: pytest.FixtureRequest, spec: Spec) -> str:
    """The node that this class claims for itself, or "the cluster", or "nothing"."""
    items = request.session.items
    units = schedule.plan(items, [worker.name for worker in spec.workers])
    return next(unit.claims for unit in units if getattr(items[unit.items[0]], "cls", None) is request.cls)


@pytest.fixture(scope="class")
def victim(claims: str, spec: Spec) -> Node:
    """The machine on which this class makes its fault: that which it claims, or the control plane."""
    return spec.control_plane if claims in (schedule.NOTHING, schedule.EVERYTHING) else spec.node(claims)


@pytest.fixture(scope="class")
def claimed(claims: str, spec: Spec, api: Api, cluster: Cluster, enter: Callable[[str], Host]) -> list[str]:
    """The nodes that this class claims, at rest; what a worker of xdist that died at it has left in is mended first."""
    from kubeproof import faults
    from kubeproof.settling import at_rest

    nodes = [node.name for node in spec.nodes if claims in (node.name, schedule.EVERYTHING)]
    for node in nodes:
        faults.mend_all(enter, cluster.ssh_config, node)
    if nodes:
        at_rest(api, *nodes)
    return nodes


@pytest.fixture(scope="class")
def experiment(
    request: pytest.FixtureRequest, api: Api, claimed: list[str], victim: Node, enter: Callable[[str], Host]
) -> Iterator[Experiment]:
    """A namespace of its own, and the machine on which this class makes its fault.

    It is watched, and what was seen is kept with the run's results.
    """
    from kubeproof import timeline
    from kubeproof.experiment import Experiment
    from kubeproof.traffic import temporary_namespace
    from kubeproof.watching import Watch

    assert not claimed or victim.name in claimed
    with temporary_namespace(api) as namespace, Watch(api.apart(), namespace, victim.name) as watch:
        yield Experiment(api, request.config.stash[SPEC], enter, victim, namespace, watch)
        promise = str(request.module.__doc__).partition("\n\n")[0]
        told = watch.timeline(_words(request.cls.__name__), promise)
        if told:
            timeline.save(request.config.stash[HANDOVER].report, told)


def _words(name: str) -> str:
    """TestKubeletStopped as kubelet_stopped."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.removeprefix("Test")).lower()
