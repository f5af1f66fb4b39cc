"""The controller manager stopped: what is declared is kept, but nobody brings it about."""

from collections.abc import Iterator

import pytest

from kubeproof.checks import Experiment


@pytest.fixture(scope="class")
def stopped(experiment: Experiment) -> Iterator[None]:
    """A deployment of one pod, told to have two when there was nobody to hear it."""
    experiment.deploy("scaled", replicas=1)
    with experiment.static_pod_stopped("kube-controller-manager"):
        experiment.edit("scaled", replicas=2)
        yield


@pytest.fixture(scope="class")
def started(experiment: Experiment, stopped: None) -> None:
    """The same, with its manifest back."""
    assert stopped is None
    experiment.mend()


@pytest.mark.experiment(claims="the cluster", lasts=25)
@pytest.mark.usefixtures("stopped")
@pytest.mark.needs("components.kubeadm")
class TestControllerManagerStopped:
    """Stopped once; the last fact is of its return."""

    def test_bound_pod_starts(self, experiment: Experiment) -> None:
        """A pod of one's own needs no controller."""
        experiment.running("bound", experiment.spec.workers[0].name)

    def test_deployment_stays_as_it_was(self, experiment: Experiment) -> None:
        """What it is told is written down, and no more."""
        deployment = experiment.deployment("scaled")
        assert (deployment.spec.replicas, deployment.status.replicas) == (2, 1)

    @pytest.mark.usefixtures("started")
    def test_deployment_is_scaled(self, experiment: Experiment) -> None:
        """With the controller manager back, there are two."""
        experiment.converged("scaled", 2, within=90)
