"""The container runtime stopped on a worker: containers go on, but none can be started or inspected."""

from collections.abc import Iterator

import pytest
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.checks import Experiment, at_rest, condition, fetch, pod_url, timers, wait_for


@pytest.fixture(scope="class")
def stopped(experiment: Experiment, control_plane: Host) -> Iterator[V1Pod]:
    """A running pod, on a worker whose containerd is stopped."""
    pod, host = experiment.running("before"), experiment.host
    experiment.ask("the pod, from the control plane", control_plane, pod_url(pod), "before")
    with experiment.fault(
        "container runtime stopped",
        make="systemctl stop containerd",
        mend="systemctl start containerd",
        is_in=lambda: wait_for("no CRI answers", lambda: host.run("crictl info").rc != 0, within=10),
        is_mended=lambda: at_rest(experiment.api, experiment.node.name),
    ):
        experiment.pod("bound")
        yield pod


@pytest.fixture(scope="class")
def started(experiment: Experiment, stopped: V1Pod) -> None:
    """The runtime is started again."""
    assert stopped
    experiment.mend()


@pytest.mark.experiment(claims="a node", lasts=50)
@pytest.mark.needs("components.containerd")
class TestRuntimeStopped:
    """The runtime is stopped once; the last checks look at its return."""

    def test_containers_live_on(self, stopped: V1Pod, control_plane: Host) -> None:
        """A running pod still answers without the runtime: its shim keeps its containers."""
        assert fetch(control_plane, pod_url(stopped)) == "before"

    def test_node_turns_not_ready(self, experiment: Experiment, stopped: V1Pod, margin: float) -> None:
        """kubelet reports that its node is not ready without a runtime."""
        assert stopped.spec.node_name == experiment.node.name
        wait_for(
            "Ready is False",
            lambda: condition(experiment.api.core.read_node(experiment.node.name), "Ready"),
            until=lambda status: status == "False",
            within=timers.runtime_missed(experiment.api, experiment.node.name) + margin,
        )

    def test_bound_pod_stays_pending(self, experiment: Experiment) -> None:
        """A new pod on the node stays Pending, since kubelet can't start it."""
        assert experiment.read("bound").status.phase == "Pending"

    @pytest.mark.usefixtures("started")
    def test_started_node_turns_ready(self, experiment: Experiment, margin: float) -> None:
        """Once the runtime is back, the node becomes Ready."""
        wait_for(
            "Ready is True",
            lambda: condition(experiment.api.core.read_node(experiment.node.name), "Ready"),
            until=lambda status: status == "True",
            within=margin,
        )

    @pytest.mark.usefixtures("started")
    def test_bound_pod_runs_after_start(self, experiment: Experiment) -> None:
        """Once the runtime is back, the pod that waited for it runs."""
        experiment.ready("bound")
