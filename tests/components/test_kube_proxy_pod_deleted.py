"""kube-proxy's pod deleted on a worker: its DaemonSet replaces it, and the rules it made outlive it."""

from collections.abc import Callable, Iterator

import pytest
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.api import Api, is_ready
from kubeproof.node import http_status
from kubeproof.settling import at_rest
from kubeproof.spec import Node, Spec
from kubeproof.waiting import wait_for

REPLACED_SECONDS = 60
SELECTOR = "k8s-app=kube-proxy"


@pytest.fixture(scope="class")
def deleted(api: Api, victim: Node) -> Iterator[V1Pod]:
    """The pod that was there before, gone from the API."""
    [pod] = api.pods(SELECTOR, victim.name)
    assert is_ready(pod)
    api.core.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace)

    def names() -> list[str]:
        return [one.metadata.name for one in api.pods(SELECTOR, victim.name)]

    wait_for("the pod is gone", names, until=lambda left: pod.metadata.name not in left, within=REPLACED_SECONDS)
    yield pod
    at_rest(api, victim.name)


@pytest.mark.needs("components.kube-proxy", "networks.service")
@pytest.mark.experiment(claims="a node")
class TestKubeProxyPodDeleted:
    """The pod is deleted once; what deletes it also mends it: the DaemonSet."""

    def test_services_outlive_the_pod(
        self, deleted: V1Pod, victim: Node, enter: Callable[[str], Host], spec: Spec
    ) -> None:
        """The rules stay in the kernel: the API's Service answers on the node all the while."""
        assert deleted.metadata.uid
        assert http_status(enter(victim.name), f"https://{next(spec.networks.service.hosts())}/livez") == 200

    def test_daemon_set_replaces_the_pod(self, api: Api, deleted: V1Pod, victim: Node) -> None:
        """Another pod takes its place and becomes Ready."""
        replaced = wait_for(
            "another kube-proxy is Ready",
            lambda: [pod for pod in api.pods(SELECTOR, victim.name) if is_ready(pod)],
            within=REPLACED_SECONDS,
        )
        assert [pod.metadata.uid for pod in replaced] != [deleted.metadata.uid]

    def test_replaced_kube_proxy_is_healthy(self, deleted: V1Pod, victim: Node, enter: Callable[[str], Host]) -> None:
        """The new one has brought the rules in step."""
        host = enter(victim.name)
        assert deleted.metadata.uid
        wait_for(
            "healthz says 200",
            lambda: http_status(host, "http://127.0.0.1:10256/healthz") == 200,
            within=REPLACED_SECONDS,
        )
