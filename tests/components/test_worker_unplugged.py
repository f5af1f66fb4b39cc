"""A worker unplugged from the private network: the cluster loses it, and its own pods go on."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.checks import Experiment, Spec, at_rest, condition, fetch, pod_url, timers, wait_for


@dataclass
class Scene:
    """A pod on the worker, and one on the control plane."""

    own: V1Pod
    other: V1Pod


@pytest.fixture(scope="class")
def unplugged(experiment: Experiment, spec: Spec, control_plane: Host) -> Iterator[Scene]:
    """The worker's private interface is down; ssh uses the provider's interface."""
    scene = Scene(experiment.running("own"), experiment.running("other", spec.control_plane.name))
    host, interface = experiment.host, spec.machines.private_interface
    experiment.ask("its pod, from the control plane", control_plane, pod_url(scene.own), "own")
    experiment.ask("its pod, from itself", host, pod_url(scene.own), "own")

    def is_mended() -> None:
        wait_for("pods reach each other", lambda: fetch(host, pod_url(scene.other)) == "other", within=60)
        at_rest(experiment.api, experiment.node.name)
        experiment.takes_pods()

    with experiment.fault(
        "worker unplugged",
        make=f"ip link set {interface} down",
        mend=f"ip link set {interface} up",
        is_in=lambda: wait_for(
            "it is down", lambda: "state DOWN" in host.run(f"ip link show {interface}").stdout, within=5
        ),
        is_mended=is_mended,
    ):
        yield scene


@pytest.fixture(scope="class")
def plugged_in(experiment: Experiment, unplugged: Scene) -> Scene:
    """The worker's interface is up again."""
    experiment.mend()
    return unplugged


@pytest.mark.experiment(claims="a node", lasts=75)
@pytest.mark.needs("machines.private_interface")
class TestWorkerUnplugged:
    """The worker is unplugged once; the last checks look at its return."""

    def test_nobody_reaches_its_pods(self, unplugged: Scene, control_plane: Host) -> None:
        """The control plane does not reach the worker's pod."""
        assert fetch(control_plane, pod_url(unplugged.own)) == ""

    def test_it_reaches_nobodys_pods(self, experiment: Experiment, unplugged: Scene) -> None:
        """The worker does not reach the control plane's pod."""
        assert fetch(experiment.host, pod_url(unplugged.other)) == ""

    def test_its_own_pods_answer_it(self, experiment: Experiment, unplugged: Scene) -> None:
        """The worker still reaches its own pod."""
        assert fetch(experiment.host, pod_url(unplugged.own)) == "own"

    def test_node_turns_not_ready(
        self, experiment: Experiment, unplugged: Scene, control_plane: Host, margin: float
    ) -> None:
        """The node's Ready becomes Unknown within the controller manager's grace period."""
        assert unplugged
        wait_for(
            "Ready is Unknown",
            lambda: condition(experiment.api.core.read_node(experiment.node.name), "Ready"),
            until=lambda status: status == "Unknown",
            within=timers.node_monitor_grace(control_plane) + margin,
        )

    def test_its_pods_are_reached_again(self, plugged_in: Scene, control_plane: Host, margin: float) -> None:
        """Once the interface is up, the control plane reaches the worker's pod again."""
        wait_for("its pod answers", lambda: fetch(control_plane, pod_url(plugged_in.own)) == "own", within=margin)

    def test_it_reaches_pods_again(self, experiment: Experiment, plugged_in: Scene, margin: float) -> None:
        """Once the interface is up, the worker reaches the control plane's pod again."""
        wait_for("the pod answers", lambda: fetch(experiment.host, pod_url(plugged_in.other)) == "other", within=margin)

    @pytest.mark.usefixtures("plugged_in")
    def test_node_turns_ready_again(self, experiment: Experiment, margin: float) -> None:
        """Once the interface is up, the node becomes Ready."""
        wait_for(
            "Ready is True",
            lambda: condition(experiment.api.core.read_node(experiment.node.name), "Ready"),
            until=lambda status: status == "True",
            within=margin,
        )
