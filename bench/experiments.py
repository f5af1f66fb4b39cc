"""The chain of timers that no run of the experiments can be shorter than, held against a run.

`python -m bench.experiments [FOLDER]`, of the run's results (reports/latest), while its cluster is still up.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kubeproof.access import machine
from kubeproof.access.api import Api
from kubeproof.bring_up import state
from kubeproof.experiments import timers
from kubeproof.results import timeline
from kubeproof.results.timeline import Timeline
from kubeproof.spec import Spec, load

EVICTED_AFTER = 5  # seconds: the toleration of the pod that is evicted in test_kubelet_stopped.py
BACK_OFF = 10  # kubelet's first, before it starts a container again that did not live long: no setting
LATEST = Path("reports") / "latest"
SILENT = 30  # client-go's, before it asks whether a connection lives of which nothing is heard: no setting
AMONG_READS = {"declared_state"}  # it breaks only pods of its own


@dataclass
class Settings:
    """What the cluster's own components are set to, in seconds."""

    grace: float
    proxy_sync: float
    kubelet_restart: float
    runtime_missed: float
    lease: float
    deaf: float
    unready: float
    ready: float


# By the name of the experiment; one that is not here waits for no timer.
WAITS: dict[str, Callable[[Settings], dict[str, float]]] = {
    "kubelet_stopped": lambda known: {"node monitor grace period": known.grace, "toleration": EVICTED_AFTER},
    "worker_unplugged": lambda known: {"node monitor grace period": known.grace},
    "runtime_stopped": lambda known: {"kubelet misses its runtime, and reports": known.runtime_missed},
    "service_rules_deleted": lambda known: {"kube-proxy's sync period": known.proxy_sync},
    "bridge_filter_off": lambda known: {"Calico's connection to the API is found dead": known.deaf},
    "kubelet_killed": lambda known: {"RestartSec": known.kubelet_restart},
    "core_dns_silent": lambda known: {"readiness probe, to fail": known.unready, "to succeed": known.ready},
    "scheduler_stopped": lambda known: {"lease": known.lease},
    "controller_manager_stopped": lambda known: {"lease": known.lease},
    "api_server_stopped": lambda known: {"restart back-off": BACK_OFF, "lease": known.lease},
    "etcd_stopped": lambda known: {"restart back-off": BACK_OFF, "lease": known.lease},
    "control_plane_rebooted": lambda known: {"lease": known.lease},
}


def settings(spec: Spec) -> Settings:
    """Read from the cluster that is kept."""
    cluster = state.kept()
    assert cluster is not None, "no cluster is kept: run with --keep-cluster"
    api, worker = Api(cluster.kubeconfig), machine.enter(spec.workers[0].name, cluster.ssh_config)
    unready, ready = timers.readiness(api.pods("k8s-app=kube-dns")[0])
    return Settings(
        grace=timers.node_monitor_grace(machine.enter(spec.control_plane.name, cluster.ssh_config)),
        proxy_sync=timers.kube_proxy_sync(worker),
        kubelet_restart=timers.kubelet_restart(worker),
        runtime_missed=timers.runtime_missed(api, spec.workers[0].name),
        lease=timers.lease(api, "kube-scheduler"),
        deaf=SILENT if spec.network_plugin == "calico" else 0,
        unready=unready,
        ready=ready,
    )


def needed(one: Timeline, known: Settings) -> dict[str, float]:
    """The timers that the experiment can't do without, and their seconds."""
    return WAITS[one.experiment](known) if one.experiment in WAITS else {}


def chain(timelines: list[Timeline], known: Settings, spec: Spec) -> float:
    """Seconds of the timers: of the workers, shared out at best, and then of the control plane, one by one."""
    seconds = {one.experiment: sum(needed(one, known).values()) for one in timelines}
    alone = [seconds[one.experiment] for one in timelines if one.node == spec.control_plane.name]
    shared = [seconds[one.experiment] for one in timelines if one.node != spec.control_plane.name]
    return sum(alone) + busiest([each for each in shared if each], len(spec.workers))


def busiest(seconds: list[float], workers: int) -> float:
    """The least that the worker with the most of them can have."""
    return min(
        max(sum(each for each, its in zip(seconds, whose, strict=True) if its == worker) for worker in range(workers))
        for whose in product(range(workers), repeat=len(seconds))
    )


def took(timelines: list[Timeline]) -> float:
    """Seconds from the first sight of the first experiment to the end of the last."""
    begun = min(moment.at for one in timelines for moment in one.moments)
    ended = max(one.milestones.recovered or one.milestones.fault for one in timelines)
    return (ended - begun).total_seconds()


def show(timelines: list[Timeline], known: Settings) -> None:
    """Print what each experiment waits for, and what it took."""
    table = Table("experiment", "on", "waits for", "s", "took, s")
    for one in sorted(timelines, key=lambda one: one.milestones.fault):
        timers_of = needed(one, known)
        names = ", ".join(f"{name} {seconds:g}" for name, seconds in timers_of.items())
        table.add_row(one.experiment, one.node, names, f"{sum(timers_of.values()):g}", f"{took([one]):.1f}")
    Console().print(table)


def figures(folder: Path, spec: Spec) -> dict[str, float]:
    """Print the experiments of a run, whose cluster is kept, and give the figures of all of them together."""
    timelines = [one for one in timeline.read(folder) if one.experiment not in AMONG_READS]
    known = settings(spec)
    show(timelines, known)
    longest, whole = chain(timelines, known, spec), took(timelines)
    return {
        "all experiments: s": whole,
        "the longest chain of their timers: s": longest,
        "the experiments by that chain: times": whole / longest,
    }


if __name__ == "__main__":
    [folder] = sys.argv[1:] or [str(LATEST)]
    kept = state.kept()
    assert kept is not None, "no cluster is kept: run with --keep-cluster"
    for name, value in figures(Path(folder), load(kept.spec)).items():
        Console().print(f"{name}: {value:.1f}")
