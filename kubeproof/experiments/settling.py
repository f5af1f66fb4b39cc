"""Waits for a new or mended cluster to come to rest, so that no check judges it while it still changes."""

import datetime
from collections.abc import Sequence

from kubeproof.access.api import Api, condition, is_done, is_ready
from kubeproof.process.progress import Progress
from kubeproof.process.waiting import NotInTime, wait_for
from kubeproof.spec import Spec
from kubeproof.spec.wellknown import NODE_TAINTS, SYSTEM_NAMESPACE, SYSTEM_NAMESPACES

LEADERS = ["kube-controller-manager", "kube-scheduler"]
SETTLE_SECONDS = 120  # for a new cluster, or a node after an experiment


def settle(api: Api, spec: Spec, progress: Progress, within: float = SETTLE_SECONDS, only: Sequence[str] = ()) -> None:
    """Wait for rest, `within` seconds; if the cluster does not come to rest, say so and let the checks judge.

    `only` names the nodes to wait for, if other nodes are not part of the run.
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
    """Wait until the nodes and their system pods are Ready and the components have leaders; raises NotInTime."""
    wait_for(
        f"{', '.join(nodes)} at rest",
        lambda: [*unready(api, nodes), *_leaderless(api)],
        until=lambda waiting: not waiting,
        within=SETTLE_SECONDS,
    )


def unready(api: Api, nodes: Sequence[str]) -> list[str]:
    """The names of those nodes, and of the system pods on them, that are not Ready or are tainted."""
    found = {node.metadata.name: node for node in api.core.list_node().items}
    return [
        *[name for name in nodes if name not in found or condition(found[name], "Ready") != "True"],
        *[
            f"{name} (tainted)"
            for name in nodes
            if name in found and any(taint.key.startswith(NODE_TAINTS) for taint in found[name].spec.taints or [])
        ],
        *[
            pod.metadata.name
            for pod in api.system_pods()
            if pod.spec.node_name in nodes and not is_ready(pod) and not is_done(pod)
        ],
    ]


def _leaderless(api: Api) -> list[str]:
    """The components without a leader: after a loss of the API, the next leader waits for the lease to end."""
    now = datetime.datetime.now(datetime.UTC)
    # A managed control plane may show no lease.
    leases = {item.metadata.name: item.spec for item in api.coordination.list_namespaced_lease(SYSTEM_NAMESPACE).items}
    return [
        f"{name} (nobody leads)"
        for name, lease in leases.items()
        if name in LEADERS and (now - lease.renew_time).total_seconds() > lease.lease_duration_seconds
    ]


def _rolling(api: Api) -> list[str]:
    sets = [item for name in SYSTEM_NAMESPACES for item in api.apps.list_namespaced_daemon_set(name).items]
    deployments = api.apps.list_namespaced_deployment(SYSTEM_NAMESPACE).items
    return [
        *[
            item.metadata.name
            for item in sets
            if (item.status.number_ready or 0) < item.status.desired_number_scheduled
        ],
        *[item.metadata.name for item in deployments if (item.status.ready_replicas or 0) < item.spec.replicas],
    ]
