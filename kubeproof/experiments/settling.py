"""Waiting, once, for a new or mended cluster to come to rest, so that no check judges it half-way."""

import datetime
from collections.abc import Sequence

from kubernetes.client.models import V1Node

from kubeproof.access.api import Api, condition, is_done, is_ready
from kubeproof.process.progress import Progress
from kubeproof.process.waiting import NotInTime, wait_for
from kubeproof.spec import Spec
from kubeproof.spec.wellknown import SYSTEM_NAMESPACE, SYSTEM_NAMESPACES

LEADERS = ["kube-controller-manager", "kube-scheduler"]
SETTLE_SECONDS = 120  # for a cluster, or a node of it, that something was just done to


def settle(api: Api, spec: Spec, progress: Progress, within: float = SETTLE_SECONDS, only: Sequence[str] = ()) -> None:
    """Wait for rest, `within` seconds; if the cluster does not come to it, say so and let the checks judge.

    `only` names the nodes that are waited for where others are none of the run's.
    """
    with progress.task("waiting for every node and system pod to be Ready") as task:

        def unsettled() -> list[str]:
            if only:
                return unready(api, only)
            names = [node.name for node in spec.nodes] or [node.metadata.name for node in api.core.list_node().items]
            waiting = [*unready(api, names), *_leaderless(api), *_rolling(api)]
            task.detail(", ".join(waiting))
            return waiting

        try:
            wait_for("rest", unsettled, until=lambda waiting: not waiting, within=within, every=0.5)
        except NotInTime as late:
            progress.say(f"judging a cluster that has not come to {late}")


def at_rest(api: Api, *nodes: str) -> None:
    """Wait until nodes, their system pods and the leaders are as before an experiment.

    Raises NotInTime with what is not.
    """
    wait_for(
        f"{', '.join(nodes)} at rest",
        lambda: [*unready(api, nodes), *_leaderless(api)],
        until=lambda waiting: not waiting,
        within=SETTLE_SECONDS,
    )


def unready(api: Api, nodes: Sequence[str]) -> list[str]:
    """The names of what is not as it should be at rest: of those nodes, and of the system pods on them."""
    found = {node.metadata.name: node for node in api.core.list_node().items}
    return [
        *[name for name in nodes if name not in found or condition(found[name], "Ready") != "True"],
        *[f"{name} (tainted)" for name in nodes if name in found and _is_tainted(found[name])],
        *[
            pod.metadata.name
            for pod in api.system_pods()
            if pod.spec.node_name in nodes and not is_ready(pod) and not is_done(pod)
        ],
    ]


def _leaderless(api: Api) -> list[str]:
    """Which components nobody leads: they lost the API for a while, and the next leader waits for the lease to end."""
    now = datetime.datetime.now(datetime.UTC)
    # Where somebody else runs the control plane there may be none to see.
    leases = {one.metadata.name: one.spec for one in api.coordination.list_namespaced_lease(SYSTEM_NAMESPACE).items}
    return [
        f"{name} (nobody leads)"
        for name, lease in leases.items()
        if name in LEADERS and (now - lease.renew_time).total_seconds() > lease.lease_duration_seconds
    ]


def _is_tainted(node: V1Node) -> bool:
    return any(taint.key.startswith("node.kubernetes.io/") for taint in node.spec.taints or [])


def _rolling(api: Api) -> list[str]:
    sets = [one for name in SYSTEM_NAMESPACES for one in api.apps.list_namespaced_daemon_set(name).items]
    deployments = api.apps.list_namespaced_deployment(SYSTEM_NAMESPACE).items
    return [
        *[one.metadata.name for one in sets if (one.status.number_ready or 0) < one.status.desired_number_scheduled],
        *[one.metadata.name for one in deployments if (one.status.ready_replicas or 0) < one.spec.replicas],
    ]
