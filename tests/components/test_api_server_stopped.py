"""The API server stopped: no client can read or change anything, and running pods and Services go on."""

from collections.abc import Iterator

import pytest
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.checks import Experiment, Spec, at_rest, fetch, pod_url, wait_for, wellknown


@pytest.fixture(scope="class")
def served(experiment: Experiment, spec: Spec) -> tuple[V1Pod, str]:
    """A pod on a worker, and its Service."""
    pod = experiment.running("served", spec.workers[0].name)
    return pod, experiment.serve(pod)


@pytest.fixture(scope="class")
def stopped(experiment: Experiment, served: tuple[V1Pod, str], margin: float) -> Iterator[None]:
    """The API server is stopped while a pod and its Service are asked once a second."""
    host = experiment.host
    wait_for("the Service answers", lambda: fetch(host, served[1]) == "served", within=margin)
    experiment.ask("the pod, from the control plane", host, pod_url(served[0]), "served")
    experiment.ask("its Service, from the control plane", host, served[1], "served")
    with experiment.static_pod_stopped("kube-apiserver"):
        yield


@pytest.fixture(scope="class")
def started(experiment: Experiment, stopped: None) -> None:
    """The API server is started again."""
    assert stopped is None
    experiment.mend()


@pytest.mark.experiment(claims="the cluster", lasts=60)
@pytest.mark.usefixtures("stopped")
@pytest.mark.needs("components.kubeadm", "nodes.address")
class TestApiServerStopped:
    """The API server is stopped once; the last checks look at its return."""

    def test_kubectl_says_so(self, experiment: Experiment, spec: Spec) -> None:
        """kubectl names the address that refuses its connection."""
        address = f"{spec.control_plane.address}:{wellknown.API_SERVER_PORT}"
        error = experiment.host.run("kubectl --request-timeout 5s get nodes").stderr
        assert f"The connection to the server {address} was refused" in error

    def test_pod_answers_on(self, served: tuple[V1Pod, str], control_plane: Host) -> None:
        """A running pod answers without the API server."""
        assert fetch(control_plane, pod_url(served[0])) == "served"

    def test_service_answers_on(self, served: tuple[V1Pod, str], control_plane: Host) -> None:
        """A Service answers without the API server: its rules are in the kernel."""
        assert fetch(control_plane, served[1]) == "served"

    @pytest.mark.usefixtures("started")
    def test_nodes_are_ready_again(self, experiment: Experiment, spec: Spec) -> None:
        """Once the API server is back, all nodes and system pods are Ready."""
        for node in spec.nodes:
            at_rest(experiment.api, node.name)

    @pytest.mark.usefixtures("started")
    def test_no_pod_was_started_again(self, experiment: Experiment) -> None:
        """kubelet did not restart the pod's container."""
        assert experiment.read("served").status.container_statuses[0].restart_count == 0
