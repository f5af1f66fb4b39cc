"""What restarts by itself: looked at when a run begins, so that a check can see whether it has gone on."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from kubernetes.client import ApiException
from testinfra.host import Host
from urllib3.exceptions import HTTPError

from kubeproof.access.api import Api
from kubeproof.access.cluster import Restarts
from kubeproof.access.machine import Unreachable

ENTERED_AT_ONCE = 8  # they may all be behind one jump host: from ten on, sshd_config(5)'s MaxStartups turns some away


def look(api: Api, enter: Callable[[str], Host], nodes: Sequence[str]) -> Restarts:
    """The counts as they are now; what does not answer is left out, for the checks to find."""
    kubelets: dict[str, int] = {}
    containers: dict[str, int] = {}

    def look_at(node: str) -> None:
        with suppress(Unreachable):
            kubelets[node] = kubelet_restarts(enter(node))

    with ThreadPoolExecutor(ENTERED_AT_ONCE) as pool:
        pool.map(look_at, nodes)
        with suppress(ApiException, HTTPError):
            containers = container_restarts(api)
    return Restarts(kubelets=kubelets, containers=containers)


def kubelet_restarts(host: Host) -> int:
    """systemd's own count: NRestarts of systemd(1)'s service, which a start by hand does not raise."""
    return int(host.service("kubelet").systemd_properties["NRestarts"])


def container_restarts(api: Api) -> dict[str, int]:
    """kubelet's count for each container of the system's pods."""
    return {
        f"{pod.metadata.name}/{container.name}": container.restart_count
        for pod in api.system_pods()
        for container in pod.status.container_statuses or []
    }
