"""calico-node restarted on a worker: what it told the kernel serves on, and flows survive."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.checks import CRICTL, Experiment, at_rest, fetch, pod_url, wait_for

POD = "k8s-app=calico-node"
CONTAINER = f"{CRICTL} ps --quiet --name '^calico-node$'"


@dataclass
class Restarted:
    """A pod on the worker, and the container of calico-node that was stopped there."""

    pod: V1Pod
    container: str


@pytest.fixture(scope="class")
def restarted(experiment: Experiment, control_plane: Host, margin: float) -> Iterator[Restarted]:
    """A pod that is asked once a second, while calico-node's container is stopped and kubelet starts another."""
    pod, host = experiment.running("served"), experiment.host
    experiment.ask("the pod, from the control plane", control_plane, pod_url(pod), "served")
    before = host.check_output(CONTAINER)

    def mended() -> None:
        experiment.another_is_ready(POD, before, margin)
        at_rest(experiment.api, experiment.node.name)
        experiment.takes_pods()

    with experiment.fault(
        "calico-node restarted",
        make=f"{CRICTL} stop $({CONTAINER})",
        mend="true",  # kubelet does
        is_in=lambda: wait_for("its container is gone", lambda: before not in host.run(CONTAINER).stdout, within=30),
        is_mended=mended,
        heals=True,
    ):
        yield Restarted(pod, before)


@pytest.mark.experiment(claims="a node", lasts=25)
@pytest.mark.needs("components.calico")
class TestCalicoNodeRestarted:
    """Stopped once; kubelet mends it."""

    def test_pod_answers_meanwhile(self, restarted: Restarted, control_plane: Host) -> None:
        """Routes and rules are in the kernel."""
        assert fetch(control_plane, pod_url(restarted.pod)) == "served"

    def test_calico_node_is_ready_again(self, experiment: Experiment, restarted: Restarted, margin: float) -> None:
        """kubelet has started another container."""
        experiment.another_is_ready(POD, restarted.container, margin)

    def test_no_flow_was_cut(self, experiment: Experiment, restarted: Restarted) -> None:
        """Every question of that time was answered."""
        assert restarted
        assert experiment.watch.unanswered() == []
