"""kubelet stopped on a worker: nobody manages its pods any more, but what runs goes on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof import faults
from kubeproof.api import Api, condition, is_ready
from kubeproof.settling import at_rest
from kubeproof.spec import Node, Spec
from kubeproof.traffic import PORT, service, talker, temporary_namespace
from kubeproof.waiting import wait_for

# kube-controller-manager's --node-monitor-grace-period, 50 s by default, and as much again for a busy machine.
GRACE_SECONDS = 100
RECOVERY_SECONDS = 60
STOPPED = faults.Fault(name="kubelet stopped", node="", make="systemctl stop kubelet", mend="systemctl start kubelet")


@dataclass
class Scene:
    """What ran on the worker before, and what was asked of it since."""

    namespace: str
    running: V1Pod
    bound: str


def ready(api: Api, node: Node) -> str:
    """The node's condition Ready."""
    return condition(api.core.read_node(node.name), "Ready")


def endpoints(api: Api, namespace: str) -> list[bool]:
    """Whether each endpoint of the namespace's Service is ready."""
    slices = api.discovery.list_namespaced_endpoint_slice(namespace).items
    return [bool(end.conditions.ready) for one in slices for end in one.endpoints or []]


@pytest.fixture(scope="class")
def scene(api: Api, spec: Spec, victim: Node, enter: Callable[[str], Host]) -> Iterator[Scene]:
    """A worker with a served pod, whose kubelet is then stopped."""
    host = enter(victim.name)
    fault = STOPPED.model_copy(update={"node": victim.name})
    with temporary_namespace(api) as namespace:
        api.core.create_namespaced_pod(namespace, talker("before", spec.traffic_image, victim.name))
        api.core.create_namespaced_service(namespace, service("before", {"app": "talker"}))
        wait_for("the served pod is ready", lambda: endpoints(api, namespace) == [True], within=RECOVERY_SECONDS)
        running = api.core.read_namespaced_pod("before", namespace)
        with faults.made(
            fault,
            host,
            is_in=lambda: wait_for("no kubelet runs", lambda: host.process.filter(comm="kubelet") == [], within=10),
            is_mended=lambda: at_rest(api, victim.name),
        ):
            api.core.create_namespaced_pod(namespace, talker("after", spec.traffic_image, victim.name))
            yield Scene(namespace, running, "after")


@pytest.fixture(scope="class")
def restarted(scene: Scene, victim: Node, enter: Callable[[str], Host]) -> Scene:
    """The same, with kubelet started again."""
    enter(victim.name).check_output(STOPPED.mend)
    return scene


@pytest.mark.needs("components.kubelet", "traffic_image")
@pytest.mark.experiment(claims="a node")
class TestKubeletStopped:
    """The fault is made once; each fact is looked at while it is in, the last ones after it is mended."""

    def test_node_turns_not_ready(self, api: Api, scene: Scene, victim: Node) -> None:
        """The node's Ready becomes Unknown within the grace period: nobody has heard of it."""
        assert scene.running.spec.node_name == victim.name
        wait_for("Ready is Unknown", lambda: ready(api, victim), until=lambda s: s == "Unknown", within=GRACE_SECONDS)

    def test_node_is_tainted_unreachable(self, api: Api, scene: Scene, victim: Node) -> None:
        """Its pods are to be evicted in time, and no new one is to come."""
        assert scene.namespace
        wait_for(
            "the taints unreachable NoSchedule and NoExecute",
            lambda: {
                taint.effect
                for taint in api.core.read_node(victim.name).spec.taints or []
                if taint.key == "node.kubernetes.io/unreachable"
            },
            until=lambda effects: effects == {"NoSchedule", "NoExecute"},
            within=GRACE_SECONDS,
        )

    def test_running_containers_still_answer(self, scene: Scene, control_plane: Host) -> None:
        """kubelet starts and watches containers; it does not carry their traffic."""
        url = f"http://{scene.running.status.pod_ip}:{PORT}/hostname"
        assert control_plane.check_output(f"curl --silent --max-time 5 {url}") == "before"

    def test_endpoint_turns_unready(self, api: Api, scene: Scene) -> None:
        """Services send no new traffic there."""
        wait_for("the endpoint is not ready", lambda: endpoints(api, scene.namespace) == [False], within=GRACE_SECONDS)

    def test_bound_pod_stays_pending(self, api: Api, scene: Scene) -> None:
        """A pod bound to the node gets neither address nor containers."""
        pod = api.core.read_namespaced_pod(scene.bound, scene.namespace)
        assert (pod.status.phase, pod.status.pod_ip) == ("Pending", None)

    def test_other_nodes_stay_ready(self, api: Api, scene: Scene, spec: Spec, victim: Node) -> None:
        """Nobody else is affected."""
        others = [node for node in spec.nodes if node != victim]
        assert scene.namespace
        assert {node.name: ready(api, node) for node in others} == {node.name: "True" for node in others}

    def test_restarted_node_turns_ready(self, api: Api, restarted: Scene, victim: Node) -> None:
        """With kubelet back, so is the node."""
        assert restarted.namespace
        wait_for("Ready is True", lambda: ready(api, victim), until=lambda s: s == "True", within=RECOVERY_SECONDS)

    def test_bound_pod_runs_after_restart(self, api: Api, restarted: Scene) -> None:
        """The pod that waited for kubelet runs."""
        wait_for(
            "the pod that waited is Ready",
            lambda: is_ready(api.core.read_namespaced_pod(restarted.bound, restarted.namespace)),
            within=RECOVERY_SECONDS,
        )
