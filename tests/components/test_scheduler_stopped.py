"""The scheduler stopped: pods that name a node start, and other new pods wait."""

from collections.abc import Iterator

import pytest
from kubernetes.client.models import V1Pod

from kubeproof.checks import Experiment


@pytest.fixture(scope="class")
def stopped(experiment: Experiment) -> Iterator[V1Pod]:
    """A new pod without a node, while the scheduler is stopped."""
    with experiment.static_pod_stopped("kube-scheduler"):
        yield experiment.unbound("new")


@pytest.fixture(scope="class")
def started(experiment: Experiment, stopped: V1Pod) -> None:
    """The scheduler is started again."""
    assert stopped
    experiment.mend()


@pytest.mark.experiment(claims="the cluster", lasts=20)
@pytest.mark.usefixtures("stopped")
@pytest.mark.needs("components.kubeadm")
class TestSchedulerStopped:
    """The scheduler is stopped once; the last check looks at its return."""

    def test_bound_pod_starts(self, experiment: Experiment) -> None:
        """A pod that names its node starts without the scheduler."""
        experiment.running("bound", experiment.spec.workers[0].name)

    def test_new_pod_stays_pending(self, experiment: Experiment) -> None:
        """A new pod that names no node stays Pending."""
        new = experiment.read("new")
        assert (new.status.phase, new.spec.node_name) == ("Pending", None)

    @pytest.mark.usefixtures("started")
    def test_new_pod_is_scheduled(self, experiment: Experiment) -> None:
        """Once the scheduler is back, the pod that waited for it runs."""
        experiment.ready("new", within=90)
