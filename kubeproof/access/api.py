"""The Kubernetes client for the cluster under judgement."""

import functools
from pathlib import Path
from typing import Any, Self

import urllib3
from kubernetes import client, config
from kubernetes.client.models import V1Node, V1Pod
from kubernetes.stream import stream

from kubeproof.spec.wellknown import SYSTEM_NAMESPACE, SYSTEM_NAMESPACES

REQUEST_SECONDS = 15
EXECUTE_SECONDS = 45


class _ImpatientClient(client.ApiClient):  # type: ignore[misc] # the package has no types
    """A client that limits each request: an API server with a frozen etcd neither answers nor closes the connection."""

    def call_api(self, *request: Any, _request_timeout: float | None = None, **parts: Any) -> Any:
        return super().call_api(*request, _request_timeout=_request_timeout or REQUEST_SECONDS, **parts)


def _group(name: str) -> functools.cached_property[Any]:
    """A group of the API by its class, loaded at first use: each is large, and few checks use more than one."""
    return functools.cached_property(lambda api: getattr(client, name)(api.client))


class Api:
    """Typed access to the API server that a kubeconfig names.

    A request without an answer within 15 s raises urllib3.exceptions.HTTPError.
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
        if settings is None:
            settings = client.Configuration()
            config.load_kube_config(str(kubeconfig), client_configuration=settings)
            settings.retries = urllib3.Retry(1)  # a kept connection may be cut
        self.client = _ImpatientClient(settings)

    def apart(self) -> Self:
        """A copy with its own connections: while a client executes a command in a pod, no other thread may use it."""
        return type(self)(self.kubeconfig, self.client.configuration)

    def raw(self, path: str) -> str:
        """The body of the answer to a GET of `path`, whatever its status."""
        return str(self.client.call_api("GET", f"{self.client.configuration.host}{path}").read(), "utf-8")

    def pods(self, selector: str = "", node: str = "", namespace: str = SYSTEM_NAMESPACE) -> list[V1Pod]:
        """The pods of a namespace, by label selector and node; empty means any."""
        fields = f"spec.nodeName={node}" if node else ""
        return list(self.core.list_namespaced_pod(namespace, label_selector=selector, field_selector=fields).items)

    def system_pods(self, node: str = "") -> list[V1Pod]:
        """The pods of all system namespaces, on all nodes or on one."""
        return [pod for namespace in SYSTEM_NAMESPACES for pod in self.pods(node=node, namespace=namespace)]

    def execute(self, pod: V1Pod, *command: str) -> str:
        """The output, within 45 s, of a command in the pod's first container; the command must end by itself."""
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


def condition(thing: V1Node | V1Pod, kind: str) -> str:
    """The status of the condition of that type: "True", "False", "Unknown", or "absent"."""
    conditions = (thing.status.conditions if thing.status else None) or []
    return next((found.status for found in conditions if found.type == kind), "absent")


def is_ready(pod: V1Pod) -> bool:
    """Whether a pod has the condition Ready and is not being deleted."""
    return condition(pod, "Ready") == "True" and pod.metadata.deletion_timestamp is None


def is_done(pod: V1Pod) -> bool:
    """Whether a pod has finished its work, as a Job's pod does: it never becomes Ready again."""
    return bool(pod.status.phase == "Succeeded")


def minor(version: str) -> int:
    """The minor of a release such as v1.36.3 or v1.33.1-eks-508b6b3."""
    return int(version.split(".")[1])
