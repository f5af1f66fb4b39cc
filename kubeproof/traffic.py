"""Pods that talk: upstream's test program agnhost on each node, and a Service over them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kubernetes import client
from kubernetes.client.models import V1Pod

from kubeproof.api import Api, is_ready
from kubeproof.waiting import wait_for

PORT = 8080  # where agnhost's netexec listens
LABEL = "kubeproof.example/traffic"
START_SECONDS = 90
GET = ["curl", "--silent", "--show-error", "--max-time", "5"]


@contextmanager
def temporary_namespace(api: Api) -> Iterator[str]:
    """A namespace of this test alone, deleted with all that is in it."""
    name = f"kubeproof-{uuid.uuid4().hex[:8]}"
    api.core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
    try:
        yield name
    finally:
        api.core.delete_namespace(name, grace_period_seconds=0)


def talker(name: str, image: str, node: str) -> client.V1Pod:
    """A pod bound to `node` that answers with its host name, and tolerates every taint there."""
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name, labels={LABEL: name, "app": "talker"}),
        spec=client.V1PodSpec(
            node_name=node,
            tolerations=[client.V1Toleration(operator="Exists")],
            termination_grace_period_seconds=0,
            containers=[
                client.V1Container(
                    name="agnhost",
                    image=image,
                    args=["netexec", f"--http-port={PORT}"],
                    readiness_probe=client.V1Probe(
                        http_get=client.V1HTTPGetAction(path="/", port=PORT), period_seconds=1
                    ),
                )
            ],
        ),
    )


def service(name: str, selector: dict[str, str], kind: str = "ClusterIP") -> client.V1Service:
    """A Service of that kind over the pods with those labels, on port 80."""
    return client.V1Service(
        metadata=client.V1ObjectMeta(name=name),
        spec=client.V1ServiceSpec(
            type=kind, selector=selector, ports=[client.V1ServicePort(port=80, target_port=PORT)]
        ),
    )


@dataclass
class Traffic:
    """A talking pod on each node and a Service over it alone, by node name; and a NodePort Service over all of them."""

    namespace: str
    pods: dict[str, V1Pod]
    own_ips: dict[str, str]
    cluster_ip: str
    node_port: int

    @property
    def names(self) -> set[str]:
        """What the pods answer with."""
        return {pod.metadata.name for pod in self.pods.values()}


@contextmanager
def on_every_node(api: Api, image: str, nodes: list[str]) -> Iterator[Traffic]:
    """Start the talkers, wait until each is Ready, and remove them at the end."""
    with temporary_namespace(api) as namespace:
        own_ips = {}
        for node in nodes:
            name = f"on-{node}"
            api.core.create_namespaced_pod(namespace, talker(name, image, node))
            own_ips[node] = api.core.create_namespaced_service(namespace, service(name, {LABEL: name})).spec.cluster_ip
        made = api.core.create_namespaced_service(namespace, service("talkers", {"app": "talker"}, "NodePort"))
        pods = wait_for(
            "every node's talker is Ready",
            lambda: {pod.spec.node_name: pod for pod in api.pods(namespace=namespace) if is_ready(pod)},
            until=lambda ready: set(ready) == set(nodes),
            within=START_SECONDS,
        )
        yield Traffic(namespace, pods, own_ips, made.spec.cluster_ip, made.spec.ports[0].node_port)
