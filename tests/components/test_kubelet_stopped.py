"""kubelet stopped on a worker: its pods are no longer managed, but running containers go on."""

import datetime
from collections.abc import Iterator

import pytest
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.checks import Experiment, at_rest, condition, fetch, pod_url, timers, wait_for, wellknown

EVICTED_AFTER = 5  # seconds that a pod tolerates an unreachable node


def ready(experiment: Experiment) -> str:
    """The status of the node's condition Ready."""
    return condition(experiment.api.core.read_node(experiment.node.name), "Ready")


def unreachable(experiment: Experiment) -> dict[str, datetime.datetime | None]:
    """The times at which the node was tainted as unreachable, by effect."""
    return {
        taint.effect: taint.time_added
        for taint in experiment.api.core.read_node(experiment.node.name).spec.taints or []
        if taint.key == wellknown.UNREACHABLE_TAINT
    }


@pytest.fixture(scope="class")
def served(experiment: Experiment, control_plane: Host) -> V1Pod:
    """A running pod with a Service; two more pods are to be evicted and deleted."""
    pod = experiment.running("served")
    service = experiment.serve(pod)
    experiment.running("evicted", evicted_after=EVICTED_AFTER)
    experiment.running("deleted")
    experiment.ask("the pod, from the control plane", control_plane, pod_url(pod), "served")
    experiment.ask("its Service, from the control plane", control_plane, service, "served")
    return pod


@pytest.fixture(scope="class")
def stopped(experiment: Experiment, served: V1Pod) -> Iterator[V1Pod]:
    """The pod with a Service, on a worker whose kubelet is stopped."""
    host = experiment.host
    with experiment.fault(
        "kubelet stopped",
        make="systemctl stop kubelet",
        mend="systemctl start kubelet",
        is_in=lambda: wait_for("no kubelet runs", lambda: host.process.filter(comm="kubelet") == [], within=10),
        is_mended=lambda: at_rest(experiment.api, experiment.node.name),
    ):
        experiment.pod("bound")
        experiment.api.core.delete_namespaced_pod("deleted", experiment.namespace)
        yield served


@pytest.fixture(scope="class")
def deadline(control_plane: Host, margin: float) -> float:
    """Seconds in which the cluster must notice the fault."""
    return timers.node_monitor_grace(control_plane) + margin


@pytest.fixture(scope="class")
def restarted(experiment: Experiment, stopped: V1Pod) -> None:
    """kubelet is started again."""
    assert stopped
    experiment.mend()


@pytest.mark.needs("components.kubelet")
@pytest.mark.experiment(claims="a node", lasts=65)
@pytest.mark.usefixtures("stopped")
class TestKubeletStopped:
    """kubelet is stopped once; the last checks look at its return."""

    def test_node_turns_not_ready(self, experiment: Experiment, deadline: float) -> None:
        """The node's Ready becomes Unknown within the controller manager's grace period."""
        wait_for(
            "Ready is Unknown", lambda: ready(experiment), until=lambda status: status == "Unknown", within=deadline
        )

    def test_node_is_tainted_unreachable(self, experiment: Experiment, margin: float) -> None:
        """The node is tainted as unreachable, so that it gets no new pods and its old ones are evicted."""
        wait_for(
            "the taints unreachable NoSchedule and NoExecute",
            lambda: unreachable(experiment),
            until=lambda effects: set(effects) == {"NoSchedule", "NoExecute"},
            within=margin,
        )

    def test_running_containers_still_answer(self, stopped: V1Pod, control_plane: Host) -> None:
        """Running containers still answer without kubelet."""
        assert fetch(control_plane, pod_url(stopped)) == "served"

    def test_endpoint_turns_unready(self, experiment: Experiment, margin: float) -> None:
        """The pod's endpoint becomes unready, so that Services send it no new traffic."""
        wait_for(
            "the endpoint is not ready",
            lambda: experiment.endpoints("served"),
            until=lambda ready: ready == [False],
            within=margin,
        )

    def test_bound_pod_stays_pending(self, experiment: Experiment) -> None:
        """A pod bound to the node stays Pending, without an address."""
        status = experiment.read("bound").status
        assert (status.phase, status.pod_ip) == ("Pending", None)

    def test_deleted_pod_stays_terminating(self, experiment: Experiment) -> None:
        """A deleted pod stays Terminating, since no kubelet ends its containers."""
        assert experiment.read("deleted").metadata.deletion_timestamp is not None

    def test_pod_is_evicted_after_its_toleration(self, experiment: Experiment, margin: float) -> None:
        """A pod is evicted once its toleration ends, and no sooner."""
        marked = wait_for(
            "the pod is to go",
            lambda: experiment.read("evicted").metadata,
            until=lambda metadata: metadata.deletion_timestamp is not None,
            within=EVICTED_AFTER + margin,
        )
        # The timestamp is the end of the grace period, to the second.
        evicted = marked.deletion_timestamp - datetime.timedelta(seconds=marked.deletion_grace_period_seconds)
        tainted = unreachable(experiment)["NoExecute"]
        assert tainted is not None
        assert (evicted - tainted).total_seconds() >= EVICTED_AFTER - 1

    def test_a_pod_that_tolerates_it_stays(self, experiment: Experiment) -> None:
        """A pod that tolerates the taint without limit, as a DaemonSet's pods do, is not evicted."""
        assert experiment.read("served").metadata.deletion_timestamp is None

    def test_other_nodes_are_as_before(self, experiment: Experiment) -> None:
        """Another node stays Ready, and its kubelet starts pods."""
        other = experiment.spec.control_plane.name
        experiment.running("elsewhere", other)
        assert condition(experiment.api.core.read_node(other), "Ready") == "True"

    @pytest.mark.usefixtures("restarted")
    def test_restarted_node_turns_ready(self, experiment: Experiment, margin: float) -> None:
        """Once kubelet is back, the node becomes Ready."""
        wait_for("Ready is True", lambda: ready(experiment), until=lambda status: status == "True", within=margin)

    @pytest.mark.usefixtures("restarted")
    def test_bound_pod_runs_after_restart(self, experiment: Experiment) -> None:
        """Once kubelet is back, the pod that waited for it runs."""
        experiment.ready("bound")

    @pytest.mark.usefixtures("restarted")
    def test_pods_to_go_are_gone_after_restart(self, experiment: Experiment, margin: float) -> None:
        """Once kubelet is back, the deleted and the evicted pod end."""
        wait_for(
            "both are gone",
            lambda: {pod.metadata.name for pod in experiment.api.pods(namespace=experiment.namespace)},
            until=lambda names: names == {"served", "bound", "elsewhere"},
            within=margin,
        )
