"""Restart counts, read when a run begins, so that a check can see whether they grow."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from kubernetes.client import ApiException
from testinfra.host import Host
from urllib3.exceptions import HTTPError

from kubeproof.access.api import Api
from kubeproof.access.cluster import Restarts
from kubeproof.access.ssh import Unreachable

ENTERED_AT_ONCE = 8  # all may be behind one jump host, which refuses some from ten on: sshd_config(5)'s MaxStartups


def look(api: Api, enter: Callable[[str], Host], nodes: Sequence[str]) -> Restarts:
    """The counts as they are now, without those of an API or a machine that does not answer: its checks report that."""
    restarts = Restarts(kubelets={}, containers={})

    def count(node: str) -> None:
        with suppress(Unreachable):
            restarts.kubelets[node] = kubelet_restarts(enter(node))

    with ThreadPoolExecutor(ENTERED_AT_ONCE) as pool:
        pool.map(count, nodes)
        with suppress(ApiException, HTTPError):
            restarts.containers = container_restarts(api)
    return restarts


def kubelet_restarts(host: Host) -> int:
    """systemd's own count: NRestarts of org.freedesktop.systemd1(5). A start by hand does not raise it."""
    return int(host.service("kubelet").systemd_properties["NRestarts"])


def container_restarts(api: Api) -> dict[str, int]:
    """kubelet's count for each container of the system pods, by pod and container name."""
    return {
        f"{pod.metadata.name}/{container.name}": container.restart_count
        for pod in api.system_pods()
        for container in pod.status.container_statuses or []
    }
