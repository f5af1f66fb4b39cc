"""Traffic: pods on every node reach pods, Services and names, except those that a network policy protects."""

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
    wellknown,
)

SYNC = 15  # seconds until kube-proxy has a new Service's rules, or Calico a new policy's, on every node
ICMP_HEADERS = 28  # bytes before a ping's data: RFC 791 and RFC 792


@pytest.fixture(scope="class")
def traffic(api: Api, spec: Spec) -> Iterator[Traffic]:
    """The talkers, one on each node."""
    with on_every_node(api, stated(spec.traffic_image), [node.name for node in spec.nodes]) as talkers:
        yield talkers


def ask_kubelet(node: Node) -> str:
    """The command that asks a kubelet for its pods, without credentials."""
    return curl(f"https://{node.address}:{wellknown.KUBELET_PORT}/pods")


def ask_node_port(node: Node, traffic: Traffic) -> str:
    """The command that asks the Service over all talkers on the node's port."""
    return curl(f"http://{node.address}:{traffic.node_port}/hostname")


def resolve(name: str) -> str:
    """The command that resolves a name."""
    return f"dig +short +time=5 {name}"


def resolve_api(spec: Spec) -> str:
    """The command that resolves the name of the API's Service."""
    return resolve(f"{wellknown.API_SERVICE}.{wellknown.DEFAULT_NAMESPACE}.svc.{spec.kubernetes.dns_domain}")


def send_largest_packet(spec: Spec, traffic: Traffic) -> str:
    """The command that sends two unfragmented packets to another node's pod: one of the spec's size, one larger."""
    fits = stated(spec.pod_mtu) - ICMP_HEADERS
    ping = 'ping -q -c 1 -M do "$other" > /dev/null 2>&1'
    addresses = " ".join(str(pod.status.pod_ip) for pod in traffic.pods.values())
    # No answer comes to the larger packet, so the wait is short.
    return (
        f'for other in {addresses}; do [ "$other" = "$(hostname -i)" ] || break; done; '
        f"{ping} -W 1 -s {fits} && echo fits; {ping} -W 0.2 -s {fits + 1} || echo too large"
    )


def targets(spec: Spec, source: str) -> list[Node]:
    """The nodes to ask from that node."""
    return [spec.node(target) for origin, target in pairs([node.name for node in spec.nodes]) if origin == source]


@pytest.fixture(scope="class")
def ask_from_pod(api: Api, spec: Spec, traffic: Traffic) -> Questions:
    """The answers to each node's talker."""
    questions = {name: [curl(traffic.own_url(name))] for name in traffic.pods}
    for name, commands in questions.items():
        commands += [curl(traffic.pod_url(target.name)) for target in targets(spec, name)]
        if spec.states("nodes.address"):
            commands += [ask_kubelet(target) for target in targets(spec, name)]
        if spec.states("kubernetes.dns_domain"):
            commands += [resolve_api(spec)]
        if spec.states("machines.outside_names"):
            commands += [resolve(name) for name in spec.machines.outside_names]
        if spec.states("pod_mtu"):
            commands += [send_largest_packet(spec, traffic)]
    # Each command has its own client, since a client can do nothing else while it executes one.
    return Questions(lambda node, command: api.apart().execute(traffic.pods[node], *command), questions)


@pytest.fixture(scope="class")
def ask_from_machine(spec: Spec, traffic: Traffic, enter: Callable[[str], Host]) -> Questions:
    """The answers to each machine."""
    questions = {name: [curl(traffic.url)] for name in traffic.pods}
    for name, commands in questions.items():
        if spec.states("nodes.address"):
            commands += [ask_node_port(target, traffic) for target in targets(spec, name)]
    return Questions(lambda node, command: str(enter(node).check_output(shlex.join(command))), questions)


@pytest.fixture(scope="class")
def guarded(spec: Spec) -> str:
    """The node whose talker a policy protects; the class's last checks do that, since no other pod reaches it then."""
    return spec.workers[-1].name


@pytest.fixture(scope="class")
def friend(traffic: Traffic, guarded: str) -> str:
    """A node whose talker asks the protected one."""
    return next(name for name in traffic.pods if name != guarded)


@pytest.fixture(scope="class")
def nobody_is_admitted(api: Api, traffic: Traffic, guarded: str) -> None:
    """A policy protects the talker from every pod."""
    allow_traffic(api, traffic.pods[guarded])


@pytest.fixture(scope="class")
def friend_is_admitted(api: Api, traffic: Traffic, guarded: str, friend: str) -> None:
    """Another policy admits the friend's talker."""
    allow_traffic(api, traffic.pods[guarded], traffic.pods[friend])


@pytest.mark.writes
@pytest.mark.needs("traffic_image")
class TestTraffic:
    """All checks share one talker on each node."""

    @pytest.mark.step("master_node.sh", "pod-network")
    def test_pod_to_pod_across_nodes(self, ask_from_pod: Questions, traffic: Traffic, pair: tuple[str, str]) -> None:
        """A pod on the one node reaches a pod on the other node by its address."""
        assert ask_from_pod(pair[0], curl(traffic.pod_url(pair[1]))) == traffic.pods[pair[1]].metadata.name

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.needs("components.kubelet", "nodes.address")
    def test_forward_policy(self, ask_from_pod: Questions, pair: tuple[str, str], spec: Spec) -> None:
        """A pod on the one node reaches the other machine's kubelet, which refuses it without credentials."""
        assert ask_from_pod(pair[0], ask_kubelet(spec.node(pair[1]))) == "Unauthorized"

    @pytest.mark.step("master_node.sh", "pod-network")
    def test_pod_reaches_itself_through_its_service(
        self, ask_from_pod: Questions, traffic: Traffic, node: Node
    ) -> None:
        """A pod reaches itself through a Service of which it is the only endpoint (hairpin)."""
        url, name = traffic.own_url(node.name), traffic.pods[node.name].metadata.name
        wait_for(url, lambda: ask_from_pod(node.name, curl(url)), until=lambda answer: answer == name, within=SYNC)

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.usefixtures("machine")  # entered before the deadline starts
    def test_service_from_every_node(self, ask_from_machine: Questions, traffic: Traffic, node: Node) -> None:
        """The machine itself reaches a Service by its cluster address."""
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
        """The one machine reaches a NodePort Service at the other machine's private address."""
        enter(pair[0])  # before the deadline starts
        question = ask_node_port(spec.node(pair[1]), traffic)
        wait_for(question, lambda: ask_from_machine(pair[0], question), until=traffic.names.__contains__, within=SYNC)

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.needs("kubernetes.dns_domain", "networks.service")
    def test_resolves_inside(self, ask_from_pod: Questions, node: Node, spec: Spec) -> None:
        """A pod on the node resolves the name of the API's Service."""
        assert ask_from_pod(node.name, resolve_api(spec)).split() == [str(next(stated(spec.networks.service).hosts()))]

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.needs("machines.outside_names")
    def test_resolves_outside(self, ask_from_pod: Questions, node: Node, spec: Spec) -> None:
        """A pod on the node resolves the spec's outside names, through CoreDNS and the nodes' resolver."""
        answers = {name: ask_from_pod(node.name, resolve(name)) for name in spec.machines.outside_names}
        assert answers == {name: f"{address}\n" for name, address in spec.machines.outside_names.items()}

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.needs("pod_mtu", "workers")
    def test_pod_mtu(self, ask_from_pod: Questions, traffic: Traffic, node: Node, spec: Spec) -> None:
        """The largest unfragmented packet to another node's pod is what the spec's encapsulation leaves."""
        assert ask_from_pod(node.name, send_largest_packet(spec, traffic)) == "fits\ntoo large\n"

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.needs("components.calico", "workers")
    @pytest.mark.usefixtures("nobody_is_admitted")
    def test_network_policy_denies(self, api: Api, traffic: Traffic, guarded: str, friend: str) -> None:
        """A pod that no policy admits gets no answer."""
        wait_for(
            "the request times out",
            lambda: api.execute(traffic.pods[friend], "sh", "-c", curl(traffic.pod_url(guarded), seconds=1)),
            until=lambda answer: "timed out" in answer,
            within=SYNC,
        )

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.needs("components.calico", "workers")
    @pytest.mark.usefixtures("nobody_is_admitted", "friend_is_admitted")
    def test_network_policy_allows(self, api: Api, traffic: Traffic, guarded: str, friend: str) -> None:
        """A pod that a policy admits gets an answer."""
        name = traffic.pods[guarded].metadata.name
        wait_for(
            "the friend is answered",
            lambda: api.execute(traffic.pods[friend], "sh", "-c", curl(traffic.pod_url(guarded))),
            until=lambda answer: answer == name,
            within=SYNC,
        )
