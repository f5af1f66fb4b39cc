"""br_netfilter off on a worker: bridged traffic no longer passes iptables.

Flannel's pods are on a bridge, and lose the Services whose pods are on the same machine: iptables rewrites the
destination of the request, which the machine routes, but the answer only crosses the bridge, and comes from an address
that was not asked. Calico's pods lose nothing: each has its own link to the machine, which routes all their traffic, so
that iptables sees it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from kubernetes.client.models import V1Pod

from kubeproof.checks import Experiment, Spec, at_rest, fetch, pod_url, wait_for

KEYS = ["net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"]
GET = ["curl", "--silent", "--max-time", "3"]
# Seconds until a client of the API notices a dead connection: 30 s of silence, and 15 s for the answer to a ping
# (HTTP2_READ_IDLE_TIMEOUT_SECONDS and HTTP2_PING_TIMEOUT_SECONDS of apimachinery's net package).
DEAD_CONNECTION_SECONDS = 45


@dataclass
class Scene:
    """A pod on the worker, and the URLs of another pod there, of that pod's Service, and of a pod elsewhere."""

    asking: V1Pod
    pod: str
    service: str
    elsewhere: str


@pytest.fixture(scope="class")
def off(experiment: Experiment, margin: float) -> Iterator[Scene]:
    """The worker's kernel hides bridged packets from iptables, as it does without br_netfilter."""
    api, host = experiment.api, experiment.host
    asking, answering = experiment.running("asking"), experiment.running("asked")
    elsewhere = experiment.running("elsewhere", experiment.spec.control_plane.name)
    service = experiment.serve(answering)
    experiment.ask("the Service, from the worker", host, service, "asked")
    wait_for("the Service answers", lambda: api.execute(asking, *GET, service) == "asked", within=margin)

    def is_mended() -> None:
        wait_for("it is on", lambda: [host.sysctl(key) for key in KEYS] == [1, 1], within=5)
        at_rest(api, experiment.node.name)
        experiment.takes_pods()

    with experiment.fault(
        "br_netfilter off",
        make=f"sysctl --quiet --write {' '.join(f'{key}=0' for key in KEYS)}",
        mend="/lib/systemd/systemd-sysctl",
        is_in=lambda: wait_for("it is off", lambda: [host.sysctl(key) for key in KEYS] == [0, 0], within=5),
        is_mended=is_mended,
    ):
        yield Scene(asking, pod_url(answering), service, pod_url(elsewhere))


@pytest.fixture(scope="class")
def network_restarted(experiment: Experiment, off: Scene, spec: Spec) -> Scene:
    """The worker's private interface goes down and up, as in a restart of its network."""
    interface = spec.machines.private_interface
    experiment.watch.note(experiment.node.name, "network restarted")
    experiment.host.check_output(f"ip link set {interface} down; ip link set {interface} up")
    return off


@pytest.fixture(scope="class")
def reloaded(experiment: Experiment, network_restarted: Scene) -> None:
    """The sysctl files are read again, as at boot."""
    assert network_restarted
    experiment.mend()


@pytest.mark.experiment(claims="a node", lasts=40)
@pytest.mark.needs("machine.kernel_modules.br_netfilter", "machines.private_interface")
class TestBridgeFilterOff:
    """The filter is switched off once; the last checks look at its return."""

    def test_pods_talk_on(self, experiment: Experiment, off: Scene) -> None:
        """Two pods on the machine still reach each other by their addresses."""
        assert experiment.api.execute(off.asking, *GET, off.pod) == "asked"

    @pytest.mark.needs("components.flannel")
    def test_service_falls_silent(self, experiment: Experiment, off: Scene) -> None:
        """With Flannel, a pod gets no answer from a Service whose pod is on the same machine."""
        assert experiment.api.execute(off.asking, *GET, off.service) == ""

    @pytest.mark.needs("components.flannel")
    def test_service_answers_the_machine(self, experiment: Experiment, off: Scene) -> None:
        """With Flannel, the machine itself still reaches the Service: that traffic is routed."""
        assert fetch(experiment.host, off.service) == "asked"

    @pytest.mark.needs("components.calico")
    def test_service_answers_on(self, experiment: Experiment, off: Scene) -> None:
        """With Calico, a Service whose pod is on the same machine still answers: routed packets pass iptables."""
        assert experiment.api.execute(off.asking, *GET, off.service) == "asked"

    def test_traffic_outlives_a_restart_of_the_network(
        self, experiment: Experiment, network_restarted: Scene, margin: float
    ) -> None:
        """After a restart of the network, pods on other machines are reachable again, with the filter still off."""
        wait_for(
            "a pod elsewhere answers",
            lambda: experiment.api.execute(network_restarted.asking, *GET, network_restarted.elsewhere),
            until=lambda answer: answer == "elsewhere",
            within=margin,
        )
        assert [experiment.host.sysctl(key) for key in KEYS] == [0, 0]

    @pytest.mark.usefixtures("network_restarted")
    def test_new_pod_answers_after_a_restart_of_the_network(self, experiment: Experiment, margin: float) -> None:
        """After a restart of the network, a new pod answers once the pod network has reconnected to the API."""
        experiment.pod("new")
        pod = experiment.ready("new", within=DEAD_CONNECTION_SECONDS + margin)
        assert fetch(experiment.host, pod_url(pod)) == "new"

    @pytest.mark.usefixtures("reloaded")
    def test_a_reload_brings_it_back(self, experiment: Experiment) -> None:
        """The sysctl files switch the filter on again."""
        assert [experiment.host.sysctl(key) for key in KEYS] == [1, 1]

    @pytest.mark.needs("components.flannel")
    @pytest.mark.usefixtures("reloaded")
    def test_service_answers_again(self, experiment: Experiment, off: Scene, margin: float) -> None:
        """With Flannel, the Service answers again, since bridged answers pass iptables."""
        wait_for(
            "the Service answers",
            lambda: experiment.api.execute(off.asking, *GET, off.service) == "asked",
            within=margin,
        )
