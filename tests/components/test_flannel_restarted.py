"""Flannel restarted on a worker: its routes stay in the kernel, and traffic goes on."""

from collections.abc import Iterator

import pytest
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.checks import CRICTL, Experiment, at_rest, fetch, is_ready, pod_url, wait_for, wellknown

CONTAINER = f"{CRICTL} ps --quiet --name '^kube-flannel$'"


@pytest.fixture(scope="class")
def restarted(experiment: Experiment, control_plane: Host) -> Iterator[V1Pod]:
    """Flannel's container is stopped and kubelet starts another, while a pod is asked once a second."""
    pod, host = experiment.running("served"), experiment.host
    experiment.ask("the pod, from the control plane", control_plane, pod_url(pod), "served")
    before = host.check_output(CONTAINER)
    with experiment.fault(
        "Flannel restarted",
        make=f"{CRICTL} stop $({CONTAINER})",
        mend="true",  # kubelet mends it
        is_in=lambda: wait_for("its container is gone", lambda: before not in host.run(CONTAINER).stdout, within=30),
        is_mended=lambda: at_rest(experiment.api, experiment.node.name),
        heals=True,
    ):
        yield pod


@pytest.mark.experiment(claims="a node")
@pytest.mark.needs("components.flannel")
class TestFlannelRestarted:
    """Flannel is stopped once, and kubelet starts it again."""

    def test_pod_answers_meanwhile(self, restarted: V1Pod, control_plane: Host) -> None:
        """A pod answers while Flannel is down: routes, neighbours and the interface are in the kernel."""
        assert fetch(control_plane, pod_url(restarted)) == "served"

    def test_flannel_is_ready_again(self, experiment: Experiment, restarted: V1Pod, margin: float) -> None:
        """kubelet has started Flannel again, and its pod is Ready."""
        assert restarted.spec.node_name == experiment.node.name
        pods = wellknown.FLANNEL_PODS, experiment.node.name, wellknown.FLANNEL_NAMESPACE
        wait_for(
            "Flannel is Ready",
            lambda: [is_ready(pod) for pod in experiment.api.pods(*pods)],
            until=lambda ready: ready == [True],
            within=margin,
        )

    def test_no_flow_was_cut(self, experiment: Experiment, restarted: V1Pod) -> None:
        """The pod answered every request during the restart."""
        assert restarted
        assert experiment.watch.unanswered() == []
