"""kubelet stopped on a worker: nobody manages its pods any more, but what runs goes on."""

import datetime
from collections.abc import Iterator

import pytest
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.checks import Experiment, at_rest, condition, fetch, pod_url, timers, wait_for

EVICTED_AFTER = 5  # seconds that the pod to be evicted bears a node that is not there


def ready(experiment: Experiment) -> str:
    """The node's condition Ready."""
    return condition(experiment.api.core.read_node(experiment.node.name), "Ready")


def unreachable(experiment: Experiment) -> dict[str, datetime.datetime | None]:
    """When the node was tainted as unreachable, by effect."""
    return {
        taint.effect: taint.time_added
        for taint in experiment.api.core.read_node(experiment.node.name).spec.taints or []
        if taint.key == "node.kubernetes.io/unreachable"
    }


@pytest.fixture(scope="class")
def served(experiment: Experiment, control_plane: Host) -> V1Pod:
    """A served pod that ran before, beside one to be evicted and one to be deleted."""
    pod = experiment.running("served")
    service = experiment.serve(pod)
    experiment.running("evicted", evicted_after=EVICTED_AFTER)
    experiment.running("deleted")
    experiment.ask("the pod, from the control plane", control_plane, pod_url(pod), "served")
    experiment.ask("its Service, from the control plane", control_plane, service, "served")
    return pod


@pytest.fixture(scope="class")
def stopped(experiment: Experiment, served: V1Pod) -> Iterator[V1Pod]:
    """The served pod, on a worker without kubelet."""
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
    """Seconds within which the cluster is to have noticed."""
    return timers.node_monitor_grace(control_plane) + margin


@pytest.fixture(scope="class")
def restarted(experiment: Experiment, stopped: V1Pod) -> None:
    """The same, with kubelet started again."""
    assert stopped
    experiment.mend()


@pytest.mark.needs("components.kubelet")
@pytest.mark.experiment(claims="a node", lasts=65)
@pytest.mark.usefixtures("stopped")
class TestKubeletStopped:
    """The fault is made once; each fact is looked at while it is in, the last ones after it is mended."""

    def test_node_turns_not_ready(self, experiment: Experiment, deadline: float) -> None:
        """The node's Ready becomes Unknown within the grace period: nobody has heard of it."""
        wait_for("Ready is Unknown", lambda: ready(experiment), until=lambda seen: seen == "Unknown", within=deadline)

    def test_node_is_tainted_unreachable(self, experiment: Experiment, margin: float) -> None:
        """Its pods are to be evicted in time, and no new one is to come."""
        wait_for(
            "the taints unreachable NoSchedule and NoExecute",
            lambda: unreachable(experiment),
            until=lambda effects: set(effects) == {"NoSchedule", "NoExecute"},
            within=margin,
        )

    def test_running_containers_still_answer(self, stopped: V1Pod, control_plane: Host) -> None:
        """kubelet starts and watches containers; it does not carry their traffic."""
        assert fetch(control_plane, pod_url(stopped)) == "served"

    def test_endpoint_turns_unready(self, experiment: Experiment, margin: float) -> None:
        """Services send no new traffic there."""
        wait_for(
            "the endpoint is not ready",
            lambda: experiment.endpoints("served"),
            until=lambda seen: seen == [False],
            within=margin,
        )

    def test_bound_pod_stays_pending(self, experiment: Experiment) -> None:
        """A pod bound to the node gets neither address nor containers."""
        status = experiment.read("bound").status
        assert (status.phase, status.pod_ip) == ("Pending", None)

    def test_deleted_pod_stays_terminating(self, experiment: Experiment) -> None:
        """Nobody is there to end its containers and say so."""
        assert experiment.read("deleted").metadata.deletion_timestamp is not None

    def test_pod_is_evicted_after_its_toleration(self, experiment: Experiment, margin: float) -> None:
        """Once its time is up, and no sooner, the pod is deleted, for its owner to start another elsewhere."""
        marked = wait_for(
            "the pod is to go",
            lambda: experiment.read("evicted").metadata,
            until=lambda seen: seen.deletion_timestamp is not None,
            within=EVICTED_AFTER + margin,
        )
        # The API says by when the pod is to be gone, to the second.
        evicted = marked.deletion_timestamp - datetime.timedelta(seconds=marked.deletion_grace_period_seconds)
        tainted = unreachable(experiment)["NoExecute"]
        assert tainted is not None
        assert (evicted - tainted).total_seconds() >= EVICTED_AFTER - 1

    def test_a_pod_that_tolerates_it_stays(self, experiment: Experiment) -> None:
        """Who bears the taint for ever, as DaemonSets' pods do, is not evicted."""
        assert experiment.read("served").metadata.deletion_timestamp is None

    def test_other_nodes_are_as_before(self, experiment: Experiment) -> None:
        """A node that nobody claims stays Ready, and its kubelet starts pods."""
        other = experiment.spec.control_plane.name
        experiment.running("elsewhere", other)
        assert condition(experiment.api.core.read_node(other), "Ready") == "True"

    @pytest.mark.usefixtures("restarted")
    def test_restarted_node_turns_ready(self, experiment: Experiment, margin: float) -> None:
        """With kubelet back, so is the node."""
        wait_for("Ready is True", lambda: ready(experiment), until=lambda seen: seen == "True", within=margin)

    @pytest.mark.usefixtures("restarted")
    def test_bound_pod_runs_after_restart(self, experiment: Experiment) -> None:
        """The pod that waited for kubelet runs."""
        experiment.ready("bound")

    @pytest.mark.usefixtures("restarted")
    def test_pods_to_go_are_gone_after_restart(self, experiment: Experiment, margin: float) -> None:
        """The deleted and the evicted pod end at last."""
        wait_for(
            "both are gone",
            lambda: {pod.metadata.name for pod in experiment.api.pods(namespace=experiment.namespace)},
            until=lambda names: names == {"served", "bound", "elsewhere"},
            within=margin,
        )
