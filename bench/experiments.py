"""Compares a run of the experiments with the chain of timers that it can't be shorter than.

`python -m bench.experiments [FOLDER]`: the folder of the run's results (reports/latest); its cluster must still be up.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kubeproof.access import ssh
from kubeproof.access.api import Api
from kubeproof.bring_up import state
from kubeproof.experiments import timers
from kubeproof.results import timeline
from kubeproof.results.timeline import Timeline
from kubeproof.spec import Spec, load, wellknown

EVICTED_AFTER = 5  # seconds: the toleration of the evicted pod in test_kubelet_stopped.py
BACK_OFF = 10  # kubelet's first delay before it restarts a container that did not run for long: no setting
LATEST = Path("reports") / "latest"
SILENT = 30  # client-go's delay before it tests a silent connection: no setting
AMONG_READS = {"declared_state"}  # breaks only its own pods


@dataclass
class Settings:
    """Settings of the cluster's components, in seconds."""

    grace: float
    proxy_sync: float
    kubelet_restart: float
    runtime_missed: float
    lease: float
    deaf: float
    unready: float
    ready: float


# By the name of the experiment; the others wait for no timer.
WAITS: dict[str, Callable[[Settings], dict[str, float]]] = {
    "kubelet_stopped": lambda settings: {"node monitor grace period": settings.grace, "toleration": EVICTED_AFTER},
    "worker_unplugged": lambda settings: {"node monitor grace period": settings.grace},
    "runtime_stopped": lambda settings: {"kubelet misses its runtime, and reports": settings.runtime_missed},
    "service_rules_deleted": lambda settings: {"kube-proxy's sync period": settings.proxy_sync},
    "bridge_filter_off": lambda settings: {"Calico's connection to the API is found dead": settings.deaf},
    "kubelet_killed": lambda settings: {"RestartSec": settings.kubelet_restart},
    "coredns_silent": lambda settings: {"readiness probe, to fail": settings.unready, "to succeed": settings.ready},
    "scheduler_stopped": lambda settings: {"lease": settings.lease},
    "controller_manager_stopped": lambda settings: {"lease": settings.lease},
    "api_server_stopped": lambda settings: {"restart back-off": BACK_OFF, "lease": settings.lease},
    "etcd_stopped": lambda settings: {"restart back-off": BACK_OFF, "lease": settings.lease},
    "control_plane_rebooted": lambda settings: {"lease": settings.lease},
}


def read_settings(spec: Spec) -> Settings:
    """The settings of the kept cluster."""
    cluster = state.kept()
    assert cluster is not None, "no cluster is kept: run with --keep-cluster"
    api, worker = Api(cluster.kubeconfig), ssh.enter(spec.workers[0].name, cluster.ssh_config)
    unready, ready = timers.readiness(api.pods(wellknown.COREDNS_PODS)[0])
    return Settings(
        grace=timers.node_monitor_grace(ssh.enter(spec.control_plane.name, cluster.ssh_config)),
        proxy_sync=timers.kube_proxy_sync(worker),
        kubelet_restart=timers.kubelet_restart(worker),
        runtime_missed=timers.runtime_missed(api, spec.workers[0].name),
        lease=timers.lease(api, "kube-scheduler"),
        deaf=SILENT if spec.network_plugin == "calico" else 0,
        unready=unready,
        ready=ready,
    )


def needed(experiment: Timeline, settings: Settings) -> dict[str, float]:
    """The seconds of the timers that the experiment can't avoid, by their names."""
    return WAITS[experiment.experiment](settings) if experiment.experiment in WAITS else {}


def chain(timelines: list[Timeline], settings: Settings, spec: Spec) -> float:
    """Seconds of the timers: the workers' in the best distribution, and then the control plane's one by one."""
    seconds = {timeline.experiment: sum(needed(timeline, settings).values()) for timeline in timelines}
    alone = [seconds[timeline.experiment] for timeline in timelines if timeline.node == spec.control_plane.name]
    shared = [seconds[timeline.experiment] for timeline in timelines if timeline.node != spec.control_plane.name]
    return sum(alone) + busiest([wait for wait in shared if wait], len(spec.workers))


def busiest(waits: list[float], workers: int) -> float:
    """The seconds of the busiest worker in the best distribution of those waits."""
    return min(
        max(sum(wait for wait, at in zip(waits, workers_of, strict=True) if at == worker) for worker in range(workers))
        for workers_of in product(range(workers), repeat=len(waits))
    )


def duration(timelines: list[Timeline]) -> float:
    """Seconds from the first moment of the first experiment to the end of the last."""
    begun = min(moment.at for timeline in timelines for moment in timeline.moments)
    ended = max(timeline.milestones.recovered or timeline.milestones.fault for timeline in timelines)
    return (ended - begun).total_seconds()


def show(timelines: list[Timeline], settings: Settings) -> None:
    """Print each experiment's timers and duration."""
    table = Table("experiment", "on", "waits for", "s", "took, s")
    for shown in sorted(timelines, key=lambda timeline: timeline.milestones.fault):
        waits = needed(shown, settings)
        names = ", ".join(f"{name} {seconds:g}" for name, seconds in waits.items())
        table.add_row(shown.experiment, shown.node, names, f"{sum(waits.values()):g}", f"{duration([shown]):.1f}")
    Console().print(table)


def figures(folder: Path, spec: Spec) -> dict[str, float]:
    """Print the experiments of a run whose cluster is kept; returns the figures of all of them together."""
    timelines = [shown for shown in timeline.read(folder) if shown.experiment not in AMONG_READS]
    settings = read_settings(spec)
    show(timelines, settings)
    longest, whole = chain(timelines, settings, spec), duration(timelines)
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
