"""calico-node restarted on a worker: its routes and rules stay in the kernel, and traffic goes on."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.checks import CRICTL, Experiment, at_rest, fetch, pod_url, wait_for, wellknown

CONTAINER = f"{CRICTL} ps --quiet --name '^calico-node$'"


@dataclass
class Restarted:
    """A pod on the worker, and the id of calico-node's stopped container there."""

    pod: V1Pod
    container: str


@pytest.fixture(scope="class")
def restarted(experiment: Experiment, control_plane: Host, margin: float) -> Iterator[Restarted]:
    """calico-node's container is stopped and kubelet starts another, while a pod is asked once a second."""
    pod, host = experiment.running("served"), experiment.host
    experiment.ask("the pod, from the control plane", control_plane, pod_url(pod), "served")
    before = host.check_output(CONTAINER)

    def is_mended() -> None:
        experiment.another_is_ready(wellknown.CALICO_NODE_PODS, before, margin)
        at_rest(experiment.api, experiment.node.name)
        experiment.takes_pods()

    with experiment.fault(
        "calico-node restarted",
        make=f"{CRICTL} stop $({CONTAINER})",
        mend="true",  # kubelet mends it
        is_in=lambda: wait_for("its container is gone", lambda: before not in host.run(CONTAINER).stdout, within=30),
        is_mended=is_mended,
        heals=True,
    ):
        yield Restarted(pod, before)


@pytest.mark.experiment(claims="a node", lasts=25)
@pytest.mark.needs("components.calico")
class TestCalicoNodeRestarted:
    """calico-node is stopped once, and kubelet starts it again."""

    def test_pod_answers_meanwhile(self, restarted: Restarted, control_plane: Host) -> None:
        """A pod answers while calico-node is down: routes and rules are in the kernel."""
        assert fetch(control_plane, pod_url(restarted.pod)) == "served"

    def test_calico_node_is_ready_again(self, experiment: Experiment, restarted: Restarted, margin: float) -> None:
        """kubelet has started another container of calico-node, and it is Ready."""
        experiment.another_is_ready(wellknown.CALICO_NODE_PODS, restarted.container, margin)

    def test_no_flow_was_cut(self, experiment: Experiment, restarted: Restarted) -> None:
        """The pod answered every request during the restart."""
        assert restarted
        assert experiment.watch.unanswered() == []
