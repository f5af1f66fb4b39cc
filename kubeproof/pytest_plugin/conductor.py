"""Brings the cluster up for a run of pytest, once for any number of workers, and ends all that the run made."""

import datetime
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
from kubernetes.client import ApiException, AppsV1Api, CoordinationV1Api, CoreV1Api
from urllib3.exceptions import HTTPError

from kubeproof.access import existing
from kubeproof.access.api import Api
from kubeproof.access.cluster import Cluster, Restarts
from kubeproof.access.ssh import Unreachable, enter
from kubeproof.bring_up import hosting, lifecycle, state
from kubeproof.experiments import faults, stability, traffic
from kubeproof.experiments.settling import SETTLE_SECONDS, settle
from kubeproof.lab import LabFailed
from kubeproof.process.commands import CommandFailed
from kubeproof.process.progress import Progress
from kubeproof.pytest_plugin import schedule
from kubeproof.pytest_plugin.options import cluster_file, may_disrupt
from kubeproof.pytest_plugin.recorder import Recorder
from kubeproof.pytest_plugin.scheduler import Scheduler
from kubeproof.pytest_plugin.stash import HANDOVER, PREPARED, SPEC, STOPPING
from kubeproof.results import blame
from kubeproof.results.steps import BringUpFailed
from kubeproof.spec import Existing, stated
from kubeproof.spec.scripts import SCRIPTS

LOADED = (CoreV1Api, CoordinationV1Api, AppsV1Api)  # large modules: loaded now, while the workers collect
UNTOUCHED_SECONDS = 15  # for a kept cluster to be at rest


class Conductor:
    """The cluster's life in a run, in the process that the person started: xdist's controller, or the only one."""

    def __init__(self, config: pytest.Config, recorder: Recorder) -> None:
        self._config = config
        self._spec = config.stash[SPEC]
        self._prepared = config.stash[PREPARED]
        self._handover = config.stash[HANDOVER]
        self._stopping = config.stash[STOPPING]
        self._recorder = recorder
        self._closing = ExitStack()
        self._progress = Progress(quiet=config.option.verbose < 0)
        self._session: pytest.Session | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config) -> Scheduler:
        """Schedule by the marks, and bring the cluster up when all workers have collected."""
        return Scheduler(len(config.option.tx), self._units)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Bring the cluster up before the first test, without xdist; with it, the controller has no items."""
        self._session = session
        if session.items and self._handover.wants_cluster:
            session.items[:] = [session.items[index] for unit in self._units() for index in unit.items]
            # Otherwise pytest's loop takes a failed bring-up for an error of collection, and runs nothing.
            session.config.option.continue_on_collection_errors = True

    def _units(self) -> list[schedule.Unit]:
        """The units to run; returns once the cluster is up, if one is wanted."""
        planned = self._handover.plan
        assert self._session is not None
        self._session.testscollected = sum(unit.tests for unit in planned)  # for the percentages of its progress
        return self._begin(planned) if self._handover.wants_cluster else planned

    def _begin(self, planned: list[schedule.Unit]) -> list[schedule.Unit]:
        """Bring the cluster up or enter it, and return the units that can be run.

        A failure becomes one red report. The facts of earlier steps are judged all the same: the cause may be there.
        """
        self._recorder.open()
        started = datetime.datetime.now(datetime.UTC)
        try:
            cluster, created = self._reach()
            touched = created or self._mend(cluster)
        except Unreachable as error:
            self._recorder.unreachable(error, started)
            return []
        except BringUpFailed as failure:
            self._recorder.bring_up_failed(failure, started)
            prepared = self._prepared and self._prepared.cluster
            self._handover.cluster = prepared or state.entrance(cluster_file(self._config))
            return [unit for unit in planned if self._was_due(unit, failure)]
        except (LabFailed, CommandFailed, OSError) as error:
            self._recorder.bring_up_failed(BringUpFailed(str(error)), started)
            return []
        within: float = SETTLE_SECONDS if touched else UNTOUCHED_SECONDS
        api = Api(cluster.kubeconfig)
        machines = self._prepared.machines if self._prepared else []
        if self._prepared:
            within = self._prepared.settle_seconds
        entered = (machines or [node.name for node in self._spec.nodes]) if self._spec.ssh else []

        def look() -> Restarts:
            return stability.look(api.apart(), lambda name: enter(name, cluster.ssh_config), entered)

        with ThreadPoolExecutor(1) as beside:
            # A cluster that was just touched may restart something; an untouched one is looked at meanwhile.
            early = None if touched else beside.submit(look)
            settle(api, self._spec, self._progress, within, machines)
        self._handover.cluster = cluster
        self._handover.restarts = early.result() if early else look()
        return planned

    def _was_due(self, unit: schedule.Unit, failure: BringUpFailed) -> bool:
        """Whether the unit judges a step that its machine had passed when the bring-up failed."""
        if not unit.responsible:
            return False
        machine, script, step = unit.responsible
        sources = [source for name in SCRIPTS for source in blame.sources(stated(self._spec.scripts) / name)]
        return machine in failure.reached and blame.is_before(script, step, failure.reached[machine], sources)

    def _reach(self) -> tuple[Cluster, bool]:
        """The cluster, and whether it was just touched."""
        if self._prepared:
            if self._prepared.failure:
                raise self._prepared.failure
            return self._prepared.cluster, True
        return self._enter() if isinstance(self._spec, Existing) else self._provide()

    def _enter(self) -> tuple[Cluster, bool]:
        assert isinstance(self._spec, Existing)
        with self._progress.task(f"asking the API of {self._spec.name}"):
            cluster = existing.enter(self._spec, cluster_file(self._config))
        self._closing.callback(self._mend, cluster)
        return cluster, False

    def _provide(self) -> tuple[Cluster, bool]:
        self._closing.enter_context(state.holding_the_cluster(self._progress))
        before = state.kept()
        self._closing.callback(self._end_cluster, before)
        try:
            cluster, created = lifecycle.provide(self._spec, cluster_file(self._config), self._progress)
        finally:
            state.copy_steps(self._handover.report)
        if created:
            faults.forget()
        return cluster, created

    def _end_cluster(self, before: Cluster | None) -> None:
        """Destroy the cluster that this run made, unless it is kept; one from before stays."""
        now = state.kept()
        if now is not None and (now == before or self._config.getoption("kubeproof_keep_cluster")):
            try:
                self._mend(now)
            except Unreachable as error:
                self._progress.say(str(error))
            self._progress.say(
                f"\nthe cluster is kept. Enter it with `kubeproof shell`, `kubectl --kubeconfig {now.kubeconfig}` or "
                f"`ssh -F {now.ssh_config} {self._spec.control_plane.name}`; `kubeproof destroy` ends it"
            )
            return
        lacking = hosting.of(self._spec.provider).lacking(self._spec) if now else ""
        if lacking:  # the report has what followed from it
            self._progress.say(lacking)
        try:
            lifecycle.destroy(self._progress)
        except CommandFailed as error:
            self._progress.say(f"the cluster is still there; `kubeproof destroy` tries again: {error}")

    def _mend(self, cluster: Cluster) -> bool:
        """Undo the faults in the journal; return whether there were any."""
        if not may_disrupt(self._config, self._spec):
            for fault in faults.left_in(cluster.ssh_config):
                self._progress.say(
                    f"a run left in: {fault.name} on {fault.node}; --allow-disruption {self._spec.name} mends it"
                )
            return False
        left = faults.mend_all(lambda name: enter(name, cluster.ssh_config), lifecycle, cluster.ssh_config)
        for fault in left:
            self._progress.say(f"mended what a run left in: {fault.name} on {fault.node}")
        with suppress(ApiException, HTTPError):  # the end of this run asks again
            for name in traffic.sweep(Api(cluster.kubeconfig)):
                self._progress.say(f"deleted the namespace {name}, which a run left")
        return bool(left)

    @pytest.hookimpl(trylast=True)  # xdist's ends the workers first
    def pytest_sessionfinish(self) -> None:
        """End what this run started, however the session ended."""
        self._stopping.ending = True
        self._closing.close()

    def pytest_unconfigure(self) -> None:
        """End what this run started, also without a session that finished."""
        self.pytest_sessionfinish()
