"""Many nodes without machines of their own: Node objects in the real API, and ssh that leads to one worker.

The suite's work for each is real: a connection, the commands of every check, the API's answers. Facts that need a
machine of that name, or a kubelet that reports the node, are not judged.
"""

from __future__ import annotations

import ipaddress
import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import yaml
from kubernetes.client.models import V1Node, V1NodeSpec, V1ObjectMeta

from kubeproof.access.api import Api
from kubeproof.access.cluster import Cluster
from kubeproof.lab import state
from kubeproof.process.commands import run
from kubeproof.spec import Spec

NAME = "simulated"
ADDRESSES = ipaddress.IPv4Network("127.64.0.0/12")  # loopback's: traffic to them goes nowhere
SIDE_BY_SIDE = 8
MEBIBYTES = 12_000  # for the shells of all connections to the one machine
NOT_JUDGED = {
    **dict.fromkeys(
        ["hostname_is_the_nodes", "hostname_is_unique", "machine_id_is_unique", "mac_is_unique"],
        "one machine stands for all",
    ),
    **dict.fromkeys(
        ["node_is_ready", "no_pressure", "network_is_available", "worker_is_schedulable"],
        "no kubelet reports the node",
    ),
    **dict.fromkeys(
        ["nodes_are_the_specs", "kubectl_works_from_this_machine"], "the lab's nodes are in the API as well"
    ),
}


def named(count: int) -> list[str]:
    """The names of `count` nodes."""
    return [f"{NAME}-{number}" for number in range(1, count + 1)]


@contextmanager
def nodes(cluster: Cluster, spec: Spec, count: int, folder: Path) -> Iterator[Path]:
    """Create `count` nodes beside the cluster that is up; gives the spec in `folder` that lists only them."""
    lab, like = state.running(), spec.workers[0]
    assert lab is not None, "the lab does not run"
    room = ["--cpus=2", f"--memory={MEBIBYTES}m", f"--memory-swap={MEBIBYTES}m"]
    run("docker", "update", *room, f"{spec.name}-{like.name}", env=lab.docker)
    api = Api(cluster.kubeconfig)
    template = api.core.read_node(like.name).status
    # Without the label of an operating system no DaemonSet creates a pod there.
    objects = [
        V1Node(
            metadata=V1ObjectMeta(name=name),
            spec=V1NodeSpec(unschedulable=True),
            status={
                "addresses": [{"type": "InternalIP", "address": str(ADDRESSES[number])}],
                "nodeInfo": api.client.sanitize_for_serialization(template.node_info),
                "capacity": template.capacity,
            },
        )
        for number, name in enumerate(named(count), start=1)
    ]
    try:
        _each(objects, api.core.create_node)
        _each(objects, lambda node: api.core.patch_node_status(node.metadata.name, {"status": node.status}))
        yield _spec(cluster, spec, count, folder)
    finally:
        _each(objects, lambda node: api.core.delete_node(node.metadata.name))


def _each(objects: list[V1Node], do: Callable[[V1Node], object]) -> None:
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        deque(pool.map(do, objects), maxlen=0)


def _spec(cluster: Cluster, spec: Spec, count: int, folder: Path) -> Path:
    ssh_config, file = folder / "ssh_config", folder / "simulated.yaml"
    like = f"Host {spec.workers[0].name}\n"
    _, _, block = cluster.ssh_config.read_text().partition(like)
    ssh_config.write_text(f"Host {NAME}-*\n{block.partition('Host ')[0]}")
    lab = json.loads(spec.document())
    document = {
        "name": NAME,
        "provider": "existing",
        "kubeconfig": str(cluster.kubeconfig),
        "ssh_config": str(ssh_config),
        "components": ["kubelet", "containerd"],
        "kubernetes": {"version": lab["kubernetes"]["version"]},
        "machine": lab["machine"],
        "nodes": [{"name": name, "role": "worker"} for name in named(count)],
        "not_applicable": {**spec.left_out, **NOT_JUDGED},
    }
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return file
