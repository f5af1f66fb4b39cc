"""The kubernetes client for the cluster under judgement."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.models import V1Node, V1Pod
from kubernetes.stream import stream

SYSTEM = "kube-system"
SYSTEM_NAMESPACES = (SYSTEM, "kube-flannel")  # what else there is of a cluster's own: Flannel's manifest makes one
REQUEST_SECONDS = 15
EXECUTE_SECONDS = 45


class _ImpatientClient(client.ApiClient):  # type: ignore[misc] # the package has no types
    """A client that gives each request an end: an API server whose etcd is frozen answers none, and cuts none off."""

    def call_api(self, *request: Any, _request_timeout: float | None = None, **parts: Any) -> Any:
        return super().call_api(*request, _request_timeout=_request_timeout or REQUEST_SECONDS, **parts)


def _group(name: str) -> functools.cached_property[Any]:
    """A group of the API by its class, loaded when first asked: each is large, and few tests ask for more than one."""
    return functools.cached_property(lambda api: getattr(client, name)(api.client))


class Api:
    """Typed access to the API server that a kubeconfig names.

    A request that is not answered within 15 s raises urllib3.exceptions.HTTPError.
    """

    core = _group("CoreV1Api")
    apps = _group("AppsV1Api")
    coordination = _group("CoordinationV1Api")
    discovery = _group("DiscoveryV1Api")
    certificates = _group("CertificatesV1Api")
    networking = _group("NetworkingV1Api")
    custom = _group("CustomObjectsApi")
    version = _group("VersionApi")

    def __init__(self, kubeconfig: Path, settings: client.Configuration | None = None) -> None:
        self.kubeconfig = kubeconfig
        self.client = _ImpatientClient(settings or _settings(kubeconfig))

    def apart(self) -> Api:
        """The same with connections of its own: while one talks to a pod, no other thread may ask by its client."""
        return Api(self.kubeconfig, self.client.configuration)

    def raw(self, path: str) -> str:
        """The body that the API server answers a GET of `path` with, whatever the status."""
        answer = self.client.call_api("GET", f"{self.client.configuration.host}{path}")
        return str(answer.read(), "utf-8")

    def pods(self, selector: str = "", node: str = "", namespace: str = SYSTEM) -> list[V1Pod]:
        """The pods of a namespace by label selector, and by node if one is named."""
        fields = f"spec.nodeName={node}" if node else ""
        return list(self.core.list_namespaced_pod(namespace, label_selector=selector, field_selector=fields).items)

    def system_pods(self, node: str = "") -> list[V1Pod]:
        """The cluster's own pods, in whichever of the system's namespaces; those of a node if one is named."""
        return [pod for namespace in SYSTEM_NAMESPACES for pod in self.pods(node=node, namespace=namespace)]

    def execute(self, pod: V1Pod, *command: str) -> str:
        """The output, within 45 s, of a command in the pod's first container: one that ends by itself."""
        output: str = stream(
            self.core.connect_get_namespaced_pod_exec,
            pod.metadata.name,
            pod.metadata.namespace,
            command=[*command],
            stdout=True,
            stderr=True,
            stdin=False,
            tty=False,
            _request_timeout=EXECUTE_SECONDS,
        )
        return output


def _settings(kubeconfig: Path) -> client.Configuration:
    settings = client.Configuration()
    config.load_kube_config(str(kubeconfig), client_configuration=settings)
    # A kept connection may turn out to be cut.
    settings.retries = urllib3.Retry(1)
    return settings


def condition(thing: V1Node | V1Pod, kind: str) -> str:
    """The status of the condition of that type: "True", "False", "Unknown", or "absent"."""
    conditions = (thing.status.conditions if thing.status else None) or []
    return next((one.status for one in conditions if one.type == kind), "absent")


def is_ready(pod: V1Pod) -> bool:
    """Whether a pod has the condition Ready and is not on its way out."""
    return condition(pod, "Ready") == "True" and pod.metadata.deletion_timestamp is None


def is_done(pod: V1Pod) -> bool:
    """Whether a pod has done what it was for, as a Job's has: it will not be Ready again."""
    return bool(pod.status.phase == "Succeeded")


def minor(version: str) -> int:
    """The minor of a release such as v1.36.3 or v1.33.1-eks-508b6b3."""
    return int(version.split(".")[1])
