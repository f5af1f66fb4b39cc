"""The pytest plugin: options, the cluster's fixtures, and what every check is asked to carry.

The process that the person started (xdist's controller, or the only one) brings the cluster up, orders the tests,
keeps the results and destroys what it made. Workers judge.
"""

from __future__ import annotations

import datetime
import os
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from testinfra.host import Host
from xdist.workermanage import WorkerController

from kubeproof import bring_up, evidence, faults, paths, report, results, schedule
from kubeproof import node as machines
from kubeproof.api import Api
from kubeproof.bring_up import BringUpFailed, Cluster
from kubeproof.commands import CommandFailed
from kubeproof.lab import LabFailed, daemon
from kubeproof.progress import Progress
from kubeproof.settling import SETTLE_SECONDS, settle
from kubeproof.spec import Node, Spec, SpecError, load

SPEC = pytest.StashKey[Spec]()
HANDOVER = pytest.StashKey[Path]()  # a folder by which workers and controller tell each other what they know
COMPARED = pytest.StashKey[tuple[str, str]]()
UNTOUCHED_SECONDS = 15  # for a kept cluster to be at rest, if it is to be
FEWEST_WORKERS = 2  # experiments mostly wait: two run side by side on one core as well


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
        "--reports", type=Path, default=Path("reports"), metavar="DIR", help="where the run's folder of results goes"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse a bad spec before anything starts."""
    for marker in (
        "step(script, name, role): the step of a provisioning script that owes the fact, on nodes of that role",
        "experiment(claims): a class that makes a fault; claims='a node' (see the victim fixture) or 'the cluster'",
        "after_experiments: a last look at the baseline",
    ):
        config.addinivalue_line("markers", marker)
    file = Path(os.path.realpath(config.getoption("cluster")))  # a loop of links is for load() to refuse
    try:
        config.stash[SPEC] = load(file)
        daemon.refuse_impossible(config.stash[SPEC], file)
    except SpecError as error:
        raise pytest.UsageError(f"the spec can't be used:\n{error}") from None
    if _is_worker(config):
        config.stash[HANDOVER] = Path(config.workerinput["kubeproof_handover"])  # type: ignore[attr-defined] # xdist's
    elif not config.option.collectonly:
        config.pluginmanager.register(Conductor(config), "kubeproof-conductor")


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: a worker for each core, two at least."""
    return max(FEWEST_WORKERS, psutil.cpu_count() or 1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each machine, worker, or ordered pair of machines that a check asks for."""
    spec = metafunc.config.stash[SPEC]
    names = [node.name for node in spec.nodes]
    for fixture, values in (
        ("node", names),
        ("worker_node", [node.name for node in spec.workers]),
        ("pair", [(one, other) for one in names for other in names if one != other]),
    ):
        if fixture in metafunc.fixturenames:
            ids = [value if isinstance(value, str) else "-to-".join(value) for value in values]
            metafunc.parametrize(fixture, values, ids=ids, indirect=True, scope="session")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what does not apply to these machines and what is accepted; put the rest in the order to run it."""
    spec = config.stash[SPEC]
    left_out = {*spec.machines.not_applicable, *spec.accepted_risks}
    items[:] = [item for item in items if not (_is_check(item) and check_name(item) in left_out)]
    units = schedule.plan(items, [node.name for node in spec.workers])
    items[:] = [items[index] for unit in units for index in unit.items]


@pytest.hookimpl(tryfirst=True)  # xdist's tells the controller that the collection is done
def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the controller what the tests' marks say."""
    if _is_worker(session.config):
        nodes = [node.name for node in session.config.stash[SPEC].workers]
        handover = session.config.stash[HANDOVER]
        schedule.write(schedule.plan(session.items, nodes), handover / "plan.json")
        if any(_is_check(item) for item in session.items):
            (handover / "wants-cluster").touch()


def _is_check(item: pytest.Item) -> bool:
    return "cluster" in getattr(item, "fixturenames", ())


def check_name(item: pytest.Item) -> str:
    """The stable name of a check: its test's, without the prefix and the parameters."""
    return str(getattr(item, "originalname", item.name)).removeprefix("test_")


class Conductor:
    """What only the process that the person started does."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._spec = config.stash[SPEC]
        self._closing = ExitStack()
        self._progress = Progress(quiet=config.option.verbose < 0)
        self._folder: Path | None = None
        # As on Ctrl-C, what was started is ended.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        config.stash[HANDOVER] = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="kubeproof-")))

    @property
    def _handover(self) -> Path:
        return self._config.stash[HANDOVER]

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: WorkerController) -> None:
        """Tell a worker where to find what the controller knows."""
        node.workerinput["kubeproof_handover"] = str(self._handover)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config) -> schedule.Scheduler:
        """Schedule as the marks say, and bring the cluster up when all workers have collected."""

        def units() -> list[schedule.Unit]:
            planned = schedule.read(self._handover / "plan.json")
            return self._begin(planned) if (self._handover / "wants-cluster").exists() else planned

        return schedule.Scheduler(len(config.option.tx), units)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Without xdist: bring the cluster up before the first test."""
        if any(_is_check(item) for item in session.items):
            planned = schedule.plan(session.items, [node.name for node in self._spec.workers])
            left = [index for unit in self._begin(planned) for index in unit.items]
            session.items[:] = [session.items[index] for index in left]
            # pytest's own loop would run nothing once something has failed, which it takes for an error of collection.
            session.config.option.continue_on_collection_errors = True

    def _begin(self, planned: list[schedule.Unit]) -> list[schedule.Unit]:
        """Bring the cluster up, and say what of the plan can be run.

        A failure becomes one failed report. What the preparation of machines owes is judged all the same: a fact that
        is wrong there may be what the failure came of.
        """
        self._open_report()
        started = datetime.datetime.now(datetime.UTC)
        try:
            self._closing.enter_context(bring_up.holding_the_lab(self._progress))
            cluster, created = self._provide()
        except BringUpFailed as failure:
            self._report_bring_up(failure, started)
            self._hand_over(bring_up.entrance(self._config.getoption("cluster")))
            return [unit for unit in planned if unit.prepared in failure.prepared]
        except (LabFailed, CommandFailed, OSError) as error:
            self._report_bring_up(BringUpFailed(str(error)), started)
            return []
        touched = created or self._mend(cluster)
        within = SETTLE_SECONDS if touched else UNTOUCHED_SECONDS
        settle(Api(cluster.kubeconfig), self._spec, self._progress, within)
        self._hand_over(cluster)
        return planned

    def _hand_over(self, cluster: Cluster) -> None:
        (self._handover / "cluster.json").write_text(cluster.model_dump_json())

    def _provide(self) -> tuple[Cluster, bool]:
        before = bring_up.kept()
        self._closing.callback(self._end_cluster, before)
        cluster, created = bring_up.provide(self._spec, self._config.getoption("cluster").resolve(), self._progress)
        if created:
            faults.forget()
        return cluster, created

    def _end_cluster(self, before: Cluster | None) -> None:
        """Destroy what this run made, unless it is to be kept; what was there before stays."""
        now = bring_up.kept()
        if now is not None and (now == before or self._config.getoption("keep_cluster")):
            self._mend(now)
            self._progress.say(
                f"\nthe cluster is kept. Enter it with `make shell`, with `kubectl --kubeconfig {now.kubeconfig}` or "
                f"`ssh -F {now.ssh_config} {self._spec.control_plane.name}`; `make destroy` ends it"
            )
            return
        bring_up.destroy(self._progress)

    def _mend(self, cluster: Cluster) -> bool:
        """Undo the faults that the journal still has, and say whether there were any."""
        left = faults.mend_all(lambda name: machines.enter(name, cluster.ssh_config))
        for fault in left:
            self._progress.say(f"mended what a run left in: {fault.name} on {fault.node}")
        return bool(left)

    def _open_report(self) -> None:
        started = datetime.datetime.now(datetime.UTC)
        reports = self._config.getoption("reports").resolve()
        folder = reports / started.strftime("%Y-%m-%dT%H-%M-%SZ")
        folder.mkdir(parents=True)
        latest = reports / "latest"
        latest.unlink(missing_ok=True)
        latest.symlink_to(folder.name)
        results.append(
            folder,
            results.Run(
                cluster=self._spec.name,
                spec=self._config.getoption("cluster"),
                kubernetes=self._spec.kubernetes.version,
                provider=self._spec.provider,
                started=started,
                not_applicable=self._spec.machines.not_applicable,
                accepted_risks={
                    name: f"{risk.reason} (until {risk.until})" for name, risk in self._spec.accepted_risks.items()
                },
            ),
        )
        (self._handover / "report").write_text(str(folder))
        self._folder = folder

    def _report_bring_up(self, failure: BringUpFailed, started: datetime.datetime) -> None:
        now = datetime.datetime.now(datetime.UTC)
        self._config.hook.pytest_runtest_logreport(
            report=pytest.TestReport(
                nodeid="provision/Vagrantfile::bring_up",
                location=("provision/Vagrantfile", None, "bring_up"),
                keywords={},
                outcome="failed",
                longrepr=evidence.redact(str(failure)),
                when="call",
                start=started.timestamp(),
                stop=now.timestamp(),
                duration=(now - started).total_seconds(),
                user_properties=[
                    ("check", "bring_up"),
                    ("promise", "The scripts bring the spec's cluster up."),
                    ("script", failure.script),
                    ("step", failure.step),
                ],
            )
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep each verdict as it comes."""
        known = {str(key): str(value) for key, value in report.user_properties}
        if self._folder is None or "check" not in known or (report.when != "call" and report.passed):
            return
        outcome: results.Outcome = "passed" if report.passed else "failed" if report.when == "call" else "error"
        known.setdefault("message", report.longreprtext if report.failed else "")
        results.append(
            self._folder,
            results.Result(
                nodeid=report.nodeid,
                outcome=outcome,
                started=datetime.datetime.fromtimestamp(report.start, datetime.UTC),
                seconds=report.duration,
                **known,
            ),
        )

    @pytest.hookimpl(trylast=True)  # xdist's ends the workers first
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write the report and end what this run started, however the session ended."""
        with self._closing:
            if self._folder is not None:
                if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
                    results.append(self._folder, results.End())
                report.write(self._folder)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say the verdict and where the report is."""
        if self._folder is not None:
            terminalreporter.write_sep("=", report.verdict(self._folder))
            terminalreporter.write_line(f"report: {self._folder / 'report.md'}")

    def pytest_unconfigure(self) -> None:
        """End what this run started also where no session was finished."""
        self._closing.close()


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    """Note what a failing comparison saw and expected, for the report."""
    del op  # a check compares what is seen, on the left, with what is expected
    config.stash[COMPARED] = (repr(left), repr(right))
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give each check's report what a person asks for: node, promise, responsible step; if red, what was seen."""
    made = yield
    if not _is_check(item) or (made.passed and made.when != "call"):
        return made
    known = dict(_of_check(item))
    if made.failed:
        if isinstance(getattr(call.excinfo, "value", None), machines.Unreachable):
            made.when = "setup"  # unreachable is an error wherever it is found: no fact was seen to be wrong
        compared = item.config.stash.get(COMPARED, None)
        if compared:
            known["seen"], known["expected"] = (evidence.redact(text) for text in compared)
        known["message"] = evidence.redact(str(call.excinfo.value) if call.excinfo else "")
        known["evidence"] = _keep_evidence(item, known.get("node", ""))
        made.sections.append(("kubeproof", "\n".join(f"{key}: {value}" for key, value in known.items() if value)))
    item.config.stash[COMPARED] = ("", "")
    made.user_properties.extend(known.items())
    return made


def _of_check(item: pytest.Item) -> Iterator[tuple[str, str]]:
    parameters = dict(getattr(getattr(item, "callspec", None), "params", {}))
    where = parameters.pop("node", "") or parameters.pop("worker_node", "")
    cases = ["-to-".join(value) if isinstance(value, tuple) else str(value) for value in parameters.values()]
    yield "check", check_name(item) + "".join(f"[{case}]" for case in cases)
    yield "promise", " ".join((getattr(item, "function", item).__doc__ or "").split("\n\n")[0].split())
    if where:
        yield "node", where
    role = item.config.stash[SPEC].node(where).role if where else ""
    for step in item.iter_markers("step"):
        if step.kwargs.get("role", role) == role:
            yield "script", step.args[0]
            yield "step", step.args[1]
            break


def _keep_evidence(item: pytest.Item, where: str) -> str:
    cluster = _cluster(item.config)
    folder = Path((item.config.stash[HANDOVER] / "report").read_text())
    if where:
        kept = evidence.of_machine(folder / "evidence", where, lambda: machines.enter(where, cluster.ssh_config))
    else:
        kept = evidence.of_cluster(folder / "evidence", lambda: Api(cluster.kubeconfig))
    return str(kept.relative_to(folder))


def _cluster(config: pytest.Config) -> Cluster:
    return Cluster.model_validate_json((config.stash[HANDOVER] / "cluster.json").read_text())


@pytest.fixture(scope="session")
def spec(pytestconfig: pytest.Config) -> Spec:
    """What the cluster is to be."""
    return pytestconfig.stash[SPEC]


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Cluster:
    """The cluster, up; every check asks for it, directly or not."""
    return _cluster(pytestconfig)


@pytest.fixture(scope="session")
def enter(cluster: Cluster) -> Callable[[str], Host]:
    """Enter a machine by name."""
    return lambda name: machines.enter(name, cluster.ssh_config)


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Api:
    """The API, as the cluster's administrator."""
    return Api(cluster.kubeconfig)


@pytest.fixture(scope="session")
def node(request: pytest.FixtureRequest, spec: Spec) -> Node:
    """Each node of the spec in turn."""
    return spec.node(request.param)


@pytest.fixture(scope="session")
def worker_node(request: pytest.FixtureRequest, spec: Spec) -> Node:
    """Each worker of the spec in turn."""
    return spec.node(request.param)


@pytest.fixture(scope="session")
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each ordered pair of node names in turn: from, to."""
    one, other = request.param
    return one, other


@pytest.fixture(scope="session")
def machine(node: Node, enter: Callable[[str], Host]) -> Host:
    """The machine of `node`, entered over ssh."""
    return enter(node.name)


@pytest.fixture(scope="session")
def control_plane(spec: Spec, enter: Callable[[str], Host]) -> Host:
    """The control plane's machine, entered over ssh."""
    return enter(spec.control_plane.name)


@pytest.fixture(scope="class")
def victim(request: pytest.FixtureRequest, spec: Spec) -> Node:
    """The worker that this experiment claims for itself."""
    items = request.session.items
    units = schedule.plan(items, [worker.name for worker in spec.workers])
    return spec.node(next(unit.claims for unit in units if getattr(items[unit.items[0]], "cls", None) is request.cls))
