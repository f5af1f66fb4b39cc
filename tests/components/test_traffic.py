"""Traffic: pods reach pods, Services and names from every node, and nobody whom a network policy keeps off."""

import shlex
from collections.abc import Callable, Iterator

import pytest
from testinfra.host import Host

from kubeproof.checks import (
    Api,
    Node,
    Questions,
    Spec,
    Traffic,
    allow_traffic,
    curl,
    on_every_node,
    pairs,
    stated,
    wait_for,
)

SYNC = 15  # seconds for kube-proxy to bring a new Service's rules in step, or Calico a new policy's, on every node
ICMP_HEADERS = 28  # bytes before a ping's data: RFC 791's and RFC 792's


@pytest.fixture(scope="class")
def traffic(api: Api, spec: Spec) -> Iterator[Traffic]:
    """The talking pods."""
    with on_every_node(api, stated(spec.traffic_image), [node.name for node in spec.nodes]) as talkers:
        yield talkers


def of_kubelet(node: Node) -> str:
    """Asks a kubelet for its pods, which it tells whoever may know."""
    return curl(f"https://{node.address}:10250/pods")


def of_node_port(node: Node, traffic: Traffic) -> str:
    """Asks the Service over all pods on the machine."""
    return curl(f"http://{node.address}:{traffic.node_port}/hostname")


def of_name(name: str) -> str:
    """Asks for a name's address."""
    return f"dig +short +time=5 {name}"


def of_api(spec: Spec) -> str:
    """Asks for the API's Service by name."""
    return of_name(f"kubernetes.default.svc.{spec.kubernetes.dns_domain}")


def of_largest_packet(spec: Spec, traffic: Traffic) -> str:
    """Asks whether a packet of the spec's size reaches another node's pod in one piece, and one that is larger."""
    fits = stated(spec.pod_mtu) - ICMP_HEADERS
    ping = 'ping -q -c 1 -M do "$other" > /dev/null 2>&1'
    addresses = " ".join(str(pod.status.pod_ip) for pod in traffic.pods.values())
    # What is too large is waited for in vain, so not for long.
    return (
        f'for other in {addresses}; do [ "$other" = "$(hostname -i)" ] || break; done; '
        f"{ping} -W 1 -s {fits} && echo fits; {ping} -W 0.2 -s {fits + 1} || echo too large"
    )


def targets(spec: Spec, source: str) -> list[Node]:
    """The nodes that are asked from that one."""
    return [spec.node(target) for one, target in pairs([node.name for node in spec.nodes]) if one == source]


@pytest.fixture(scope="class")
def ask_from_pod(api: Api, spec: Spec, traffic: Traffic) -> Questions:
    """What the pod on a node is answered."""
    questions = {name: [curl(traffic.own_url(name))] for name in traffic.pods}
    for name, known in questions.items():
        known += [curl(traffic.pod_url(target.name)) for target in targets(spec, name)]
        if spec.states("nodes.address"):
            known += [of_kubelet(target) for target in targets(spec, name)]
        if spec.states("kubernetes.dns_domain"):
            known += [of_api(spec)]
        if spec.states("machines.outside_names"):
            known += [of_name(name) for name in spec.machines.outside_names]
        if spec.states("pod_mtu"):
            known += [of_largest_packet(spec, traffic)]
    # By a client of its own, since none may be asked while it talks to a pod.
    return Questions(lambda node, command: api.apart().execute(traffic.pods[node], *command), questions)


@pytest.fixture(scope="class")
def ask_from_machine(spec: Spec, traffic: Traffic, enter: Callable[[str], Host]) -> Questions:
    """What the machine itself is answered."""
    questions = {name: [curl(traffic.url)] for name in traffic.pods}
    for name, known in questions.items():
        if spec.states("nodes.address"):
            known += [of_node_port(target, traffic) for target in targets(spec, name)]
    return Questions(lambda node, command: str(enter(node).check_output(shlex.join(command))), questions)


@pytest.fixture(scope="class")
def guarded(spec: Spec) -> str:
    """The node whose pod is kept from others: by the class's last facts, since no other pod reaches it any more."""
    return spec.workers[-1].name


@pytest.fixture(scope="class")
def friend(traffic: Traffic, guarded: str) -> str:
    """The node whose pod asks it."""
    return next(name for name in traffic.pods if name != guarded)


@pytest.fixture(scope="class")
def nobody_is_admitted(api: Api, traffic: Traffic, guarded: str) -> None:
    """A policy keeps every pod off."""
    allow_traffic(api, traffic.pods[guarded])


@pytest.fixture(scope="class")
def friend_is_admitted(api: Api, traffic: Traffic, guarded: str, friend: str) -> None:
    """Another one does not keep the friend off."""
    allow_traffic(api, traffic.pods[guarded], traffic.pods[friend])


@pytest.mark.writes
@pytest.mark.needs("traffic_image")
class TestTraffic:
    """One talking pod on each node serves all of these."""

    @pytest.mark.step("master_node.sh", "pod-network")
    def test_pod_to_pod_across_nodes(self, ask_from_pod: Questions, traffic: Traffic, pair: tuple[str, str]) -> None:
        """A pod on the one node reaches a pod on the other by its address."""
        assert ask_from_pod(pair[0], curl(traffic.pod_url(pair[1]))) == traffic.pods[pair[1]].metadata.name

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.needs("components.kubelet", "nodes.address")
    def test_forward_policy(self, ask_from_pod: Questions, pair: tuple[str, str], spec: Spec) -> None:
        """What a pod on the one node sends to the other machine itself is forwarded: it is told who may ask kubelet."""
        assert ask_from_pod(pair[0], of_kubelet(spec.node(pair[1]))) == "Unauthorized"

    @pytest.mark.step("master_node.sh", "pod-network")
    def test_pod_reaches_itself_through_its_service(
        self, ask_from_pod: Questions, traffic: Traffic, node: Node
    ) -> None:
        """A pod that calls a Service of which it is the only end is answered by itself (hairpin)."""
        url, name = traffic.own_url(node.name), traffic.pods[node.name].metadata.name
        wait_for(url, lambda: ask_from_pod(node.name, curl(url)), until=lambda seen: seen == name, within=SYNC)

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.usefixtures("machine")  # entered once, and not waited for
    def test_service_from_every_node(self, ask_from_machine: Questions, traffic: Traffic, node: Node) -> None:
        """The machine itself reaches the Service's cluster address."""
        url = traffic.url
        wait_for(url, lambda: ask_from_machine(node.name, curl(url)), until=traffic.names.__contains__, within=SYNC)

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.needs("nodes.address")
    def test_node_port_from_every_node(
        self,
        ask_from_machine: Questions,
        traffic: Traffic,
        pair: tuple[str, str],
        spec: Spec,
        enter: Callable[[str], Host],
    ) -> None:
        """The Service is reached from the one node at the other's private address."""
        enter(pair[0])  # which is not waited for
        question = of_node_port(spec.node(pair[1]), traffic)
        wait_for(question, lambda: ask_from_machine(pair[0], question), until=traffic.names.__contains__, within=SYNC)

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.needs("kubernetes.dns_domain", "networks.service")
    def test_resolves_inside(self, ask_from_pod: Questions, node: Node, spec: Spec) -> None:
        """A pod on the node finds the API's Service by name."""
        assert ask_from_pod(node.name, of_api(spec)).split() == [str(next(stated(spec.networks.service).hosts()))]

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.needs("machines.outside_names")
    def test_resolves_outside(self, ask_from_pod: Questions, node: Node, spec: Spec) -> None:
        """A pod on the node finds the spec's outside names, through CoreDNS and the nodes' resolver."""
        answers = {name: ask_from_pod(node.name, of_name(name)) for name in spec.machines.outside_names}
        assert answers == {name: f"{address}\n" for name, address in spec.machines.outside_names.items()}

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.needs("pod_mtu", "workers")
    def test_pod_mtu(self, ask_from_pod: Questions, traffic: Traffic, node: Node, spec: Spec) -> None:
        """The largest packet that reaches another node's pod in one piece is what the spec's encapsulation leaves."""
        assert ask_from_pod(node.name, of_largest_packet(spec, traffic)) == "fits\ntoo large\n"

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.needs("components.calico", "workers")
    @pytest.mark.usefixtures("nobody_is_admitted")
    def test_network_policy_denies(self, api: Api, traffic: Traffic, guarded: str, friend: str) -> None:
        """Whom no policy names gets no answer."""
        wait_for(
            "an answer is not had",
            lambda: api.execute(traffic.pods[friend], "sh", "-c", curl(traffic.pod_url(guarded), seconds=1)),
            until=lambda said: "timed out" in said,
            within=SYNC,
        )

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.needs("components.calico", "workers")
    @pytest.mark.usefixtures("nobody_is_admitted", "friend_is_admitted")
    def test_network_policy_allows(self, api: Api, traffic: Traffic, guarded: str, friend: str) -> None:
        """Who is named is answered."""
        name = traffic.pods[guarded].metadata.name
        wait_for(
            "the friend is answered",
            lambda: api.execute(traffic.pods[friend], "sh", "-c", curl(traffic.pod_url(guarded))),
            until=lambda said: said == name,
            within=SYNC,
        )
