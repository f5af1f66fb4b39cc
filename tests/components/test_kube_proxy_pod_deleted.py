"""kube-proxy's pod deleted on a worker: its DaemonSet replaces it, and its rules stay in the kernel."""

from collections.abc import Iterator

import pytest
from kubernetes.client.models import V1Pod

from kubeproof.checks import Experiment, Spec, at_rest, http_status, is_ready, stated, wait_for, wellknown

END_SECONDS = 30  # a pod's default grace period


@pytest.fixture(scope="class")
def deleted(experiment: Experiment, margin: float) -> Iterator[V1Pod]:
    """The deleted pod, once the API no longer lists it; its DaemonSet mends that."""
    api, node = experiment.api, experiment.node.name
    [pod] = api.pods(wellknown.KUBE_PROXY_PODS, node)
    assert is_ready(pod)
    with experiment.made_good("kube-proxy's pod deleted"):
        api.core.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace)
        wait_for(
            "the pod is gone",
            lambda: [found.metadata.name for found in api.pods(wellknown.KUBE_PROXY_PODS, node)],
            until=lambda names: pod.metadata.name not in names,
            within=END_SECONDS + margin,
        )
        yield pod
        at_rest(api, node)


@pytest.mark.needs("components.kube-proxy", "networks.service")
@pytest.mark.experiment(claims="a node", lasts=5)
class TestKubeProxyPodDeleted:
    """The pod is deleted once."""

    def test_services_outlive_the_pod(self, experiment: Experiment, deleted: V1Pod, spec: Spec) -> None:
        """The API's Service still answers on the node, since its rules stay in the kernel."""
        assert deleted.spec.node_name == experiment.node.name
        assert http_status(experiment.host, f"https://{next(stated(spec.networks.service).hosts())}/livez") == 200

    def test_daemon_set_replaces_the_pod(self, experiment: Experiment, deleted: V1Pod, margin: float) -> None:
        """The DaemonSet creates another kube-proxy pod, and it becomes Ready."""
        replaced = wait_for(
            "another kube-proxy is Ready",
            lambda: [
                pod for pod in experiment.api.pods(wellknown.KUBE_PROXY_PODS, experiment.node.name) if is_ready(pod)
            ],
            within=margin,
        )
        assert [pod.metadata.uid for pod in replaced] != [deleted.metadata.uid]

    def test_replaced_kube_proxy_is_healthy(self, experiment: Experiment, deleted: V1Pod, margin: float) -> None:
        """The new kube-proxy reports that it is healthy."""
        assert deleted.spec.node_name == experiment.node.name
        healthz = f"http://127.0.0.1:{wellknown.KUBE_PROXY_HEALTH_PORT}/healthz"
        wait_for("healthz says 200", lambda: http_status(experiment.host, healthz) == 200, within=margin)
