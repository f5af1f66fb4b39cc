"""Flannel restarted on a worker: what it told the kernel serves on, and flows survive."""

from collections.abc import Iterator

import pytest
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.checks import CRICTL, Experiment, at_rest, fetch, is_ready, pod_url, wait_for

CONTAINER = f"{CRICTL} ps --quiet --name '^kube-flannel$'"


@pytest.fixture(scope="class")
def restarted(experiment: Experiment, control_plane: Host) -> Iterator[V1Pod]:
    """A pod that is asked once a second, while Flannel's container is stopped and kubelet starts another."""
    pod, host = experiment.running("served"), experiment.host
    experiment.ask("the pod, from the control plane", control_plane, pod_url(pod), "served")
    before = host.check_output(CONTAINER)
    with experiment.fault(
        "Flannel restarted",
        make=f"{CRICTL} stop $({CONTAINER})",
        mend="true",  # kubelet does
        is_in=lambda: wait_for("its container is gone", lambda: before not in host.run(CONTAINER).stdout, within=30),
        is_mended=lambda: at_rest(experiment.api, experiment.node.name),
        heals=True,
    ):
        yield pod


@pytest.mark.experiment(claims="a node")
@pytest.mark.needs("components.flannel")
class TestFlannelRestarted:
    """Stopped once; kubelet mends it."""

    def test_pod_answers_meanwhile(self, restarted: V1Pod, control_plane: Host) -> None:
        """Routes, neighbours and the wrapping interface are in the kernel."""
        assert fetch(control_plane, pod_url(restarted)) == "served"

    def test_flannel_is_ready_again(self, experiment: Experiment, restarted: V1Pod, margin: float) -> None:
        """kubelet has started another container."""
        assert restarted.spec.node_name == experiment.node.name
        wait_for(
            "Flannel is Ready",
            lambda: [is_ready(pod) for pod in experiment.api.pods("app=flannel", experiment.node.name, "kube-flannel")],
            until=lambda ready: ready == [True],
            within=margin,
        )

    def test_no_flow_was_cut(self, experiment: Experiment, restarted: V1Pod) -> None:
        """Every question of that time was answered."""
        assert restarted
        assert experiment.watch.unanswered() == []
