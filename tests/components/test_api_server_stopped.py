"""The API server stopped: nobody can ask or change anything, and what runs goes on."""

from collections.abc import Iterator

import pytest
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.checks import Experiment, Spec, at_rest, fetch, pod_url, wait_for


@pytest.fixture(scope="class")
def served(experiment: Experiment, spec: Spec) -> tuple[V1Pod, str]:
    """A pod on a worker, and its Service."""
    pod = experiment.running("served", spec.workers[0].name)
    return pod, experiment.serve(pod)


@pytest.fixture(scope="class")
def stopped(experiment: Experiment, served: tuple[V1Pod, str], margin: float) -> Iterator[None]:
    """kubelet runs no API server without its manifest."""
    host = experiment.host
    wait_for("the Service answers", lambda: fetch(host, served[1]) == "served", within=margin)
    experiment.ask("the pod, from the control plane", host, pod_url(served[0]), "served")
    experiment.ask("its Service, from the control plane", host, served[1], "served")
    with experiment.static_pod_stopped("kube-apiserver"):
        yield


@pytest.fixture(scope="class")
def started(experiment: Experiment, stopped: None) -> None:
    """The same, with its manifest back."""
    assert stopped is None
    experiment.mend()


@pytest.mark.experiment(claims="the cluster", lasts=60)
@pytest.mark.usefixtures("stopped")
@pytest.mark.needs("components.kubeadm", "nodes.address")
class TestApiServerStopped:
    """Stopped once; the last facts are of its return."""

    def test_kubectl_says_so(self, experiment: Experiment, spec: Spec) -> None:
        """It names the address that refuses it."""
        said = experiment.host.run("kubectl --request-timeout 5s get nodes").stderr
        assert f"The connection to the server {spec.control_plane.address}:6443 was refused" in said

    def test_pod_answers_on(self, served: tuple[V1Pod, str], control_plane: Host) -> None:
        """What runs needs nobody's leave."""
        assert fetch(control_plane, pod_url(served[0])) == "served"

    def test_service_answers_on(self, served: tuple[V1Pod, str], control_plane: Host) -> None:
        """The rules are in the kernel."""
        assert fetch(control_plane, served[1]) == "served"

    @pytest.mark.usefixtures("started")
    def test_nodes_are_ready_again(self, experiment: Experiment, spec: Spec) -> None:
        """With the API server back, all is as before."""
        for node in spec.nodes:
            at_rest(experiment.api, node.name)

    @pytest.mark.usefixtures("started")
    def test_no_pod_was_started_again(self, experiment: Experiment) -> None:
        """kubelets kept what they had."""
        assert experiment.read("served").status.container_statuses[0].restart_count == 0
