"""What is kept of a failure: the machine's own account, and the API's, taken while it is still so."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from kubernetes.client import ApiException
from kubernetes.config import ConfigException
from testinfra.host import Host
from urllib3.exceptions import HTTPError

from kubeproof.access.api import Api
from kubeproof.access.machine import Unreachable
from kubeproof.results.redaction import redact

OF_A_MACHINE = [
    "tail --lines=40 /var/log/provision.log",
    "systemctl --failed --no-legend",
    "ip -brief address",
    "ip route",
    "crictl ps --all",
    "journalctl --unit=kubelet --unit=containerd --lines=80 --no-pager --output=short-iso",
]


def of_machine(folder: Path, name: str, enter: Callable[[], Host]) -> Path:
    """Keep what a machine says of itself; once a run, since many failures have one cause."""
    return _keep(folder / f"{name}.txt", lambda: "\n".join(_told(enter(), command) for command in OF_A_MACHINE))


def of_cluster(folder: Path, connect: Callable[[], Api]) -> Path:
    """Keep what the API says of nodes, system pods and the latest events."""
    return _keep(folder / "cluster.txt", lambda: _objects(connect()))


def _keep(file: Path, gather: Callable[[], str]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        file.touch(exist_ok=False)
    except FileExistsError:
        return file
    try:
        file.write_text(redact(gather()))
    except (Unreachable, ConfigException, ApiException, HTTPError, OSError) as error:
        with suppress(OSError):  # there may be no room for it
            file.write_text(redact(f"nothing could be gathered: {error}\n"))
    return file


def _told(host: Host, command: str) -> str:
    done = host.run(f"timeout 10 {command}")
    return f"$ {command}\n{done.stdout}{done.stderr}"


def _objects(api: Api) -> str:
    nodes = [f"{node.metadata.name} {node.status.conditions}" for node in api.core.list_node().items]
    pods = [
        f"{pod.metadata.name} on {pod.spec.node_name} {pod.status.phase} {pod.status.pod_ip} {pod.status.conditions}"
        for pod in api.system_pods()
    ]
    events = [
        f"{event.last_timestamp or event.event_time} {event.involved_object.kind}/{event.involved_object.name} "
        f"{event.reason}: {event.message}"
        for event in api.core.list_event_for_all_namespaces(limit=200).items
    ]
    return "\n".join(["# nodes", *nodes, "", "# system pods", *pods, "", "# events", *events, ""])
