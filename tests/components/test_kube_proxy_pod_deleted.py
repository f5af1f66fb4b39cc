"""kube-proxy's pod deleted on a worker: its DaemonSet replaces it, and the rules it made outlive it."""

from collections.abc import Iterator

import pytest
from kubernetes.client.models import V1Pod

from kubeproof.checks import Experiment, Spec, at_rest, http_status, is_ready, stated, wait_for

SELECTOR = "k8s-app=kube-proxy"
END_SECONDS = 30  # a pod's own grace period


@pytest.fixture(scope="class")
def deleted(experiment: Experiment, margin: float) -> Iterator[V1Pod]:
    """The pod that was there before, gone from the API; what mends that is its DaemonSet."""
    api, node = experiment.api, experiment.node.name
    [pod] = api.pods(SELECTOR, node)
    assert is_ready(pod)
    with experiment.made_good("kube-proxy's pod deleted"):
        api.core.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace)
        wait_for(
            "the pod is gone",
            lambda: [one.metadata.name for one in api.pods(SELECTOR, node)],
            until=lambda names: pod.metadata.name not in names,
            within=END_SECONDS + margin,
        )
        yield pod
        at_rest(api, node)


@pytest.mark.needs("components.kube-proxy", "networks.service")
@pytest.mark.experiment(claims="a node", lasts=5)
class TestKubeProxyPodDeleted:
    """Deleted once."""

    def test_services_outlive_the_pod(self, experiment: Experiment, deleted: V1Pod, spec: Spec) -> None:
        """The rules stay in the kernel: the API's Service answers on the node all the while."""
        assert deleted.spec.node_name == experiment.node.name
        assert http_status(experiment.host, f"https://{next(stated(spec.networks.service).hosts())}/livez") == 200

    def test_daemon_set_replaces_the_pod(self, experiment: Experiment, deleted: V1Pod, margin: float) -> None:
        """Another pod takes its place and becomes Ready."""
        replaced = wait_for(
            "another kube-proxy is Ready",
            lambda: [pod for pod in experiment.api.pods(SELECTOR, experiment.node.name) if is_ready(pod)],
            within=margin,
        )
        assert [pod.metadata.uid for pod in replaced] != [deleted.metadata.uid]

    def test_replaced_kube_proxy_is_healthy(self, experiment: Experiment, deleted: V1Pod, margin: float) -> None:
        """The new one has brought the rules in step."""
        assert deleted.spec.node_name == experiment.node.name
        healthz = "http://127.0.0.1:10256/healthz"
        wait_for("healthz says 200", lambda: http_status(experiment.host, healthz) == 200, within=margin)
