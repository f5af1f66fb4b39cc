"""The scheduler stopped: what runs goes on, and nobody finds a node for what is new."""

from collections.abc import Iterator

import pytest
from kubernetes.client.models import V1Pod

from kubeproof.checks import Experiment


@pytest.fixture(scope="class")
def stopped(experiment: Experiment) -> Iterator[V1Pod]:
    """A pod that nobody has found a node for: kubelet runs no scheduler without its manifest."""
    with experiment.static_pod_stopped("kube-scheduler"):
        yield experiment.unbound("new")


@pytest.fixture(scope="class")
def started(experiment: Experiment, stopped: V1Pod) -> None:
    """The same, with its manifest back."""
    assert stopped
    experiment.mend()


@pytest.mark.experiment(claims="the cluster", lasts=20)
@pytest.mark.usefixtures("stopped")
@pytest.mark.needs("components.kubeadm")
class TestSchedulerStopped:
    """Stopped once; the last fact is of its return."""

    def test_bound_pod_starts(self, experiment: Experiment) -> None:
        """Who names a node needs no scheduler."""
        experiment.running("bound", experiment.spec.workers[0].name)

    def test_new_pod_stays_pending(self, experiment: Experiment) -> None:
        """It has no node, though another that was made later runs by now."""
        new = experiment.read("new")
        assert (new.status.phase, new.spec.node_name) == ("Pending", None)

    @pytest.mark.usefixtures("started")
    def test_new_pod_is_scheduled(self, experiment: Experiment) -> None:
        """With the scheduler back, the pod that waited runs."""
        experiment.ready("new", within=90)
