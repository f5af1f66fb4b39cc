"""The container runtime stopped on a worker: containers live on, but nobody can start or look at one."""

from collections.abc import Iterator

import pytest
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.checks import Experiment, at_rest, condition, fetch, pod_url, timers, wait_for


@pytest.fixture(scope="class")
def stopped(experiment: Experiment, control_plane: Host) -> Iterator[V1Pod]:
    """A pod that ran before, on a worker without containerd."""
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
    """The same, with the runtime started again."""
    assert stopped
    experiment.mend()


@pytest.mark.experiment(claims="a node", lasts=50)
@pytest.mark.needs("components.containerd")
class TestRuntimeStopped:
    """Stopped once; the last facts are of its return."""

    def test_containers_live_on(self, stopped: V1Pod, control_plane: Host) -> None:
        """Their shims hold them: the pod answers."""
        assert fetch(control_plane, pod_url(stopped)) == "before"

    def test_node_turns_not_ready(self, experiment: Experiment, stopped: V1Pod, margin: float) -> None:
        """kubelet itself says that it can do nothing without one."""
        assert stopped.spec.node_name == experiment.node.name
        wait_for(
            "Ready is False",
            lambda: condition(experiment.api.core.read_node(experiment.node.name), "Ready"),
            until=lambda seen: seen == "False",
            within=timers.runtime_missed(experiment.api, experiment.node.name) + margin,
        )

    def test_bound_pod_stays_pending(self, experiment: Experiment) -> None:
        """kubelet knows of it, and has nobody to start it."""
        assert experiment.read("bound").status.phase == "Pending"

    @pytest.mark.usefixtures("started")
    def test_started_node_turns_ready(self, experiment: Experiment, margin: float) -> None:
        """With the runtime back, so is the node."""
        wait_for(
            "Ready is True",
            lambda: condition(experiment.api.core.read_node(experiment.node.name), "Ready"),
            until=lambda seen: seen == "True",
            within=margin,
        )

    @pytest.mark.usefixtures("started")
    def test_bound_pod_runs_after_start(self, experiment: Experiment) -> None:
        """The pod that waited for the runtime runs."""
        experiment.ready("bound")
