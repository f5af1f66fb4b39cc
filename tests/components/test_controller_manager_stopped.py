"""The controller manager stopped: declared state is stored, but nothing acts on it."""

from collections.abc import Iterator

import pytest

from kubeproof.checks import Experiment


@pytest.fixture(scope="class")
def stopped(experiment: Experiment) -> Iterator[None]:
    """A deployment of one pod is scaled to two while the controller manager is stopped."""
    experiment.deploy("scaled", replicas=1)
    with experiment.static_pod_stopped("kube-controller-manager"):
        experiment.edit("scaled", replicas=2)
        yield


@pytest.fixture(scope="class")
def started(experiment: Experiment, stopped: None) -> None:
    """The controller manager is started again."""
    assert stopped is None
    experiment.mend()


@pytest.mark.experiment(claims="the cluster", lasts=25)
@pytest.mark.usefixtures("stopped")
@pytest.mark.needs("components.kubeadm")
class TestControllerManagerStopped:
    """The controller manager is stopped once; the last check looks at its return."""

    def test_bound_pod_starts(self, experiment: Experiment) -> None:
        """A pod that names its node starts without the controller manager."""
        experiment.running("bound", experiment.spec.workers[0].name)

    def test_deployment_stays_as_it_was(self, experiment: Experiment) -> None:
        """The deployment's new size is stored, but no pod is created."""
        deployment = experiment.deployment("scaled")
        assert (deployment.spec.replicas, deployment.status.replicas) == (2, 1)

    @pytest.mark.usefixtures("started")
    def test_deployment_is_scaled(self, experiment: Experiment) -> None:
        """Once the controller manager is back, the deployment has its two pods."""
        experiment.converged("scaled", 2, within=90)
