"""Evidence of a failure, gathered at once: logs and state of the machine, and objects of the API."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from kubernetes.client import ApiException
from kubernetes.config import ConfigException
from testinfra.host import Host
from urllib3.exceptions import HTTPError

from kubeproof.access.api import Api
from kubeproof.access.ssh import Unreachable
from kubeproof.results.redaction import redact

COMMANDS = [  # on the machine
    "tail --lines=40 /var/log/provision.log",
    "systemctl --failed --no-legend",
    "ip -brief address",
    "ip route",
    "crictl ps --all",
    "journalctl --unit=kubelet --unit=containerd --lines=80 --no-pager --output=short-iso",
]


def of_machine(folder: Path, name: str, enter: Callable[[], Host]) -> Path:
    """Write the logs and state of a machine to FOLDER/NAME.txt, once in a run: many failures have one cause."""
    return _write_once(folder / f"{name}.txt", lambda: "\n".join(_output(enter(), command) for command in COMMANDS))


def of_cluster(folder: Path, connect: Callable[[], Api]) -> Path:
    """Write the nodes, the system pods and the latest events to FOLDER/cluster.txt, once in a run."""
    return _write_once(folder / "cluster.txt", lambda: _objects(connect()))


def _write_once(file: Path, gather: Callable[[], str]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        file.touch(exist_ok=False)
    except FileExistsError:
        return file
    try:
        file.write_text(redact(gather()))
    except (Unreachable, ConfigException, ApiException, HTTPError, OSError) as error:
        with suppress(OSError):  # the disk may be full
            file.write_text(redact(f"nothing could be gathered: {error}\n"))
    return file


def _output(host: Host, command: str) -> str:
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
