"""Brings the cluster up for a run of pytest, once whatever the number of workers, and ends what the run made."""

from __future__ import annotations

import datetime
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
from kubernetes.client import ApiException, AppsV1Api, CoordinationV1Api, CoreV1Api
from urllib3.exceptions import HTTPError

from kubeproof import blame, bring_up, existing, faults, hosting, node, schedule, stability, traffic
from kubeproof.api import Api
from kubeproof.bring_up import BringUpFailed
from kubeproof.cluster import Cluster, Restarts
from kubeproof.commands import CommandFailed
from kubeproof.entered import Entered
from kubeproof.handover import Handover
from kubeproof.lab import LabFailed
from kubeproof.node import Unreachable
from kubeproof.progress import Progress
from kubeproof.recorder import Recorder
from kubeproof.settling import SETTLE_SECONDS, settle
from kubeproof.spec import SCRIPTS, Existing, Spec
from kubeproof.stopping import Stopping

LOADED = (CoreV1Api, CoordinationV1Api, AppsV1Api)  # large: while workers collect, and not when they wait for us
UNTOUCHED_SECONDS = 15  # for a kept cluster to be at rest, if it is to be


class Conductor:
    """What only the process that the person started does: xdist's controller, or the only one."""

    def __init__(
        self,
        config: pytest.Config,
        spec: Spec,
        handover: Handover,
        recorder: Recorder,
        entered: Entered | None,
        *,
        stopping: Stopping,
    ) -> None:
        self._config = config
        self._spec = spec
        self._entered = entered
        self._handover = handover
        self._recorder = recorder
        self._closing = ExitStack()
        self._progress = Progress(quiet=config.option.verbose < 0)
        self._session: pytest.Session | None = None
        self._stopping = stopping

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config) -> schedule.Scheduler:
        """Schedule as the marks say, and bring the cluster up when all workers have collected."""

        return schedule.Scheduler(len(config.option.tx), self._units)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Without xdist, whose controller collects nothing: bring the cluster up before the first test."""
        self._session = session
        if session.items and self._handover.wants_cluster:
            session.items[:] = [session.items[index] for unit in self._units() for index in unit.items]
            # pytest's own loop would run nothing once something has failed, which it takes for an error of collection.
            session.config.option.continue_on_collection_errors = True

    def _units(self) -> list[schedule.Unit]:
        """What is to be run, once it can be."""
        planned = schedule.read(self._handover.plan)
        assert self._session is not None
        self._session.testscollected = sum(unit.tests for unit in planned)  # what pytest tells its progress in parts of
        return self._begin(planned) if self._handover.wants_cluster else planned

    def _begin(self, planned: list[schedule.Unit]) -> list[schedule.Unit]:
        """Bring the cluster up or enter it, and say what of the plan can be run.

        A failure becomes one red report. What the steps before it owe is judged all the same: a fact that is wrong
        there may be what the failure came of.
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
            entered = self._entered and self._entered.cluster
            self._handover.cluster = entered or bring_up.entrance(self._config.getoption("cluster"))
            return [unit for unit in planned if self._was_due(unit, failure)]
        except (LabFailed, CommandFailed, OSError) as error:
            self._recorder.bring_up_failed(BringUpFailed(str(error)), started)
            return []
        within: float = SETTLE_SECONDS if touched else UNTOUCHED_SECONDS
        api = Api(cluster.kubeconfig)
        machines = self._entered.machines if self._entered else []
        if self._entered:
            within = self._entered.settle_seconds
        looked = (machines or [one.name for one in self._spec.nodes]) if self._spec.ssh else []

        def look() -> Restarts:
            return stability.look(api.apart(), lambda name: node.enter(name, cluster.ssh_config), looked)

        with ThreadPoolExecutor(1) as beside:
            # What was just done to a cluster may restart something of it; one that nobody touched is as it is.
            early = None if touched else beside.submit(look)
            settle(api, self._spec, self._progress, within, machines)
        self._handover.cluster = cluster
        self._handover.restarts = early.result() if early else look()
        return planned

    def _was_due(self, unit: schedule.Unit, failure: BringUpFailed) -> bool:
        """Whether the unit judges what a machine should have had when its bring-up failed."""
        if not unit.owed:
            return False
        machine, script, step = unit.owed
        known = [source for name in SCRIPTS for source in blame.sources(self._spec.scripts / name)]
        return machine in failure.reached and blame.is_before(script, step, failure.reached[machine], known)

    def _reach(self) -> tuple[Cluster, bool]:
        """The cluster, and whether something was just done to it."""
        if self._entered:
            if self._entered.failure:
                raise self._entered.failure.error
            return self._entered.cluster, True
        return self._enter() if isinstance(self._spec, Existing) else self._provide()

    def _enter(self) -> tuple[Cluster, bool]:
        assert isinstance(self._spec, Existing)
        with self._progress.task(f"asking the API of {self._spec.name}"):
            cluster = existing.enter(self._spec, self._config.getoption("cluster").resolve())
        self._closing.callback(self._mend, cluster)
        return cluster, False

    def _provide(self) -> tuple[Cluster, bool]:
        self._closing.enter_context(bring_up.holding_the_cluster(self._progress))
        before = bring_up.kept()
        self._closing.callback(self._end_cluster, before)
        try:
            cluster, created = bring_up.provide(self._spec, self._config.getoption("cluster").resolve(), self._progress)
        finally:
            bring_up.copy_steps(self._handover.report)
        if created:
            faults.forget()
        return cluster, created

    def _end_cluster(self, before: Cluster | None) -> None:
        """Destroy what this run made, unless it is to be kept; what was there before stays."""
        now = bring_up.kept()
        if now is not None and (now == before or self._config.getoption("keep_cluster")):
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
        if lacking:  # what came of it is in the report
            self._progress.say(lacking)
        try:
            bring_up.destroy(self._progress)
        except CommandFailed as error:
            self._progress.say(f"the cluster is still there; `kubeproof destroy` tries again: {error}")

    def _mend(self, cluster: Cluster) -> bool:
        """Undo the faults that the journal still has, and say whether there were any."""
        if isinstance(self._spec, Existing) and self._config.getoption("allow_disruption") != self._spec.name:
            for fault in faults.left_in(cluster.ssh_config):
                self._progress.say(
                    f"a run left in: {fault.name} on {fault.node}; --allow-disruption {self._spec.name} mends it"
                )
            return False
        left = faults.mend_all(lambda name: node.enter(name, cluster.ssh_config), cluster.ssh_config)
        for fault in left:
            self._progress.say(f"mended what a run left in: {fault.name} on {fault.node}")
        with suppress(ApiException, HTTPError):  # an API that is not yet back is asked again when this run ends
            for name in traffic.sweep(Api(cluster.kubeconfig)):
                self._progress.say(f"deleted the namespace {name}, which a run left")
        return bool(left)

    @pytest.hookimpl(trylast=True)  # xdist's ends the workers first
    def pytest_sessionfinish(self) -> None:
        """End what this run started, however the session ended."""
        self._end()

    def pytest_unconfigure(self) -> None:
        """End what this run started also where no session was finished."""
        self._end()

    def _end(self) -> None:
        self._stopping.ending = True
        self._closing.close()
