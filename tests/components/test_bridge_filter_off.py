"""br_netfilter off on a worker: bridged traffic passes iptables no more.

Pods that hang on a bridge, as Flannel's do, lose the Services whose pods are on the same machine: iptables gives the
question its new destination when the bridge hands it to the machine, but the answer crosses the bridge alone, and comes
from an address that was not asked. Calico's lose nothing: each has a link of its own to the machine, which routes, so
that iptables sees its traffic all the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from kubernetes.client.models import V1Pod

from kubeproof.checks import Experiment, Spec, at_rest, fetch, pod_url, wait_for

KEYS = ["net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"]
GET = ["curl", "--silent", "--max-time", "3"]
# Seconds in which a client of the API finds that its connection is dead: client-go's 30 s of silence, and 15 s for an
# answer to a ping (HTTP2_READ_IDLE_TIMEOUT_SECONDS and HTTP2_PING_TIMEOUT_SECONDS of apimachinery's net package).
DEAF_SECONDS = 45


@dataclass
class Scene:
    """A pod on the worker that asks another there, by its address and by its Service; and one on the control plane."""

    asking: V1Pod
    pod: str
    service: str
    elsewhere: str


@pytest.fixture(scope="class")
def off(experiment: Experiment, margin: float) -> Iterator[Scene]:
    """A worker whose kernel keeps bridged packets from iptables, as without the module."""
    api, host = experiment.api, experiment.host
    asking, asked = experiment.running("asking"), experiment.running("asked")
    elsewhere = experiment.running("elsewhere", experiment.spec.control_plane.name)
    service = experiment.serve(asked)
    experiment.ask("the Service, from the worker", host, service, "asked")
    wait_for("the Service answers", lambda: api.execute(asking, *GET, service) == "asked", within=margin)

    def mended() -> None:
        wait_for("it is on", lambda: [host.sysctl(key) for key in KEYS] == [1, 1], within=5)
        at_rest(api, experiment.node.name)
        experiment.takes_pods()

    with experiment.fault(
        "br_netfilter off",
        make=f"sysctl --quiet --write {' '.join(f'{key}=0' for key in KEYS)}",
        mend="/lib/systemd/systemd-sysctl",
        is_in=lambda: wait_for("it is off", lambda: [host.sysctl(key) for key in KEYS] == [0, 0], within=5),
        is_mended=mended,
    ):
        yield Scene(asking, pod_url(asked), service, pod_url(elsewhere))


@pytest.fixture(scope="class")
def network_restarted(experiment: Experiment, off: Scene, spec: Spec) -> Scene:
    """The same, its private interface down and up again: a restart of the network, whatever service does it."""
    interface = spec.machines.private_interface
    experiment.watch.note(experiment.node.name, "network restarted")
    experiment.host.check_output(f"ip link set {interface} down; ip link set {interface} up")
    return off


@pytest.fixture(scope="class")
def reloaded(experiment: Experiment, network_restarted: Scene) -> None:
    """The values of the files are read again, as at boot."""
    assert network_restarted
    experiment.mend()


@pytest.mark.experiment(claims="a node", lasts=40)
@pytest.mark.needs("machine.kernel_modules.br_netfilter", "machines.private_interface")
class TestBridgeFilterOff:
    """What the spec's CNI makes of it, by traffic; the last facts are of its return."""

    def test_pods_talk_on(self, experiment: Experiment, off: Scene) -> None:
        """Two pods on the machine reach each other: routed or bridged, by their own addresses."""
        assert experiment.api.execute(off.asking, *GET, off.pod) == "asked"

    @pytest.mark.needs("components.flannel")
    def test_service_falls_silent(self, experiment: Experiment, off: Scene) -> None:
        """A Service whose pod is on the same bridge does not answer: what comes back is not from its address."""
        assert experiment.api.execute(off.asking, *GET, off.service) == ""

    @pytest.mark.needs("components.flannel")
    def test_service_answers_the_machine(self, experiment: Experiment, off: Scene) -> None:
        """The machine itself still reaches it: that traffic is routed."""
        assert fetch(experiment.host, off.service) == "asked"

    @pytest.mark.needs("components.calico")
    def test_service_answers_on(self, experiment: Experiment, off: Scene) -> None:
        """A Service whose pod is on the same machine answers: routed packets pass iptables by themselves."""
        assert experiment.api.execute(off.asking, *GET, off.service) == "asked"

    def test_traffic_outlives_a_restart_of_the_network(
        self, experiment: Experiment, network_restarted: Scene, margin: float
    ) -> None:
        """The way to pods elsewhere went with the interface, and comes back with the filter still off."""
        wait_for(
            "a pod elsewhere answers",
            lambda: experiment.api.execute(network_restarted.asking, *GET, network_restarted.elsewhere),
            until=lambda seen: seen == "elsewhere",
            within=margin,
        )
        assert [experiment.host.sysctl(key) for key in KEYS] == [0, 0]

    @pytest.mark.usefixtures("network_restarted")
    def test_new_pod_answers_after_a_restart_of_the_network(self, experiment: Experiment, margin: float) -> None:
        """Once the pod network hears of it: its own way to the API was masqueraded, and went with the interface."""
        experiment.pod("new")
        pod = experiment.ready("new", within=DEAF_SECONDS + margin)
        assert fetch(experiment.host, pod_url(pod)) == "new"

    @pytest.mark.usefixtures("reloaded")
    def test_a_reload_brings_it_back(self, experiment: Experiment) -> None:
        """The files have it: so does a reboot, after which every machine is looked at again."""
        assert [experiment.host.sysctl(key) for key in KEYS] == [1, 1]

    @pytest.mark.needs("components.flannel")
    @pytest.mark.usefixtures("reloaded")
    def test_service_answers_again(self, experiment: Experiment, off: Scene, margin: float) -> None:
        """What comes back over the bridge passes iptables as before."""
        wait_for(
            "the Service answers",
            lambda: experiment.api.execute(off.asking, *GET, off.service) == "asked",
            within=margin,
        )
