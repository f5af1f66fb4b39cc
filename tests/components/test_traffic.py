"""Traffic: pods reach pods, Services and names from every node."""

from collections.abc import Callable, Iterator

import pytest
from testinfra.host import Host

from kubeproof.api import Api
from kubeproof.spec import Node, Spec
from kubeproof.traffic import GET, PORT, Traffic, on_every_node
from kubeproof.waiting import wait_for

SYNC = 15  # seconds for kube-proxy to bring a new Service's rules in step: it gathers changes for one
ICMP_HEADERS = 28  # bytes before a ping's data: RFC 791's and RFC 792's


@pytest.fixture(scope="class")
def traffic(api: Api, spec: Spec) -> Iterator[Traffic]:
    """The talking pods."""
    with on_every_node(api, spec.traffic_image, [node.name for node in spec.nodes]) as talkers:
        yield talkers


@pytest.mark.writes
@pytest.mark.needs("traffic_image")
class TestTraffic:
    """One talking pod on each node serves all of these."""

    @pytest.mark.step("master_node.sh", "pod-network")
    def test_pod_to_pod_across_nodes(self, api: Api, traffic: Traffic, pair: tuple[str, str]) -> None:
        """A pod on the one node reaches a pod on the other by its address."""
        target = traffic.pods[pair[1]]
        answer = api.execute(traffic.pods[pair[0]], *GET, f"http://{target.status.pod_ip}:{PORT}/hostname")
        assert answer == target.metadata.name

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.needs("components.kubelet", "nodes.address")
    def test_forward_policy(self, api: Api, traffic: Traffic, pair: tuple[str, str], spec: Spec) -> None:
        """What a pod on the one node sends to the other machine itself is forwarded: it is told who may ask kubelet."""
        kubelet = f"https://{spec.node(pair[1]).address}:10250/pods"
        answer = api.execute(traffic.pods[pair[0]], *GET, "--insecure", kubelet)
        assert answer == "Unauthorized"

    @pytest.mark.step("master_node.sh", "pod-network")
    def test_pod_reaches_itself_through_its_service(self, api: Api, traffic: Traffic, node: Node) -> None:
        """A pod that calls a Service of which it is the only end is answered by itself (hairpin)."""
        pod, url = traffic.pods[node.name], f"http://{traffic.own_ips[node.name]}/hostname"
        wait_for(url, lambda: api.execute(pod, *GET, url), until=lambda seen: seen == pod.metadata.name, within=SYNC)

    @pytest.mark.step("master_node.sh", "kubeadm-init")
    def test_service_from_every_node(self, traffic: Traffic, node: Node, enter: Callable[[str], Host]) -> None:
        """The machine itself reaches the Service's cluster address."""
        host, url = enter(node.name), f"http://{traffic.cluster_ip}/hostname"
        wait_for(url, lambda: host.check_output(" ".join([*GET, url])), until=traffic.names.__contains__, within=SYNC)

    @pytest.mark.step("master_node.sh", "kubeadm-init")
    @pytest.mark.needs("nodes.address")
    def test_node_port_from_every_node(
        self, traffic: Traffic, pair: tuple[str, str], spec: Spec, enter: Callable[[str], Host]
    ) -> None:
        """The Service is reached from the one node at the other's private address."""
        host, url = enter(pair[0]), f"http://{spec.node(pair[1]).address}:{traffic.node_port}/hostname"
        wait_for(url, lambda: host.check_output(" ".join([*GET, url])), until=traffic.names.__contains__, within=SYNC)

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.needs("kubernetes.dns_domain", "networks.service")
    def test_resolves_inside(self, api: Api, traffic: Traffic, node: Node, spec: Spec) -> None:
        """A pod on the node finds the API's Service by name."""
        name = f"kubernetes.default.svc.{spec.kubernetes.dns_domain}"
        answer = api.execute(traffic.pods[node.name], "dig", "+short", "+time=5", name)
        assert answer.split() == [str(next(spec.networks.service.hosts()))]

    @pytest.mark.step("config.sh", "resolver")
    @pytest.mark.needs("machines.outside_names")
    def test_resolves_outside(self, api: Api, traffic: Traffic, node: Node, spec: Spec) -> None:
        """A pod on the node finds the spec's outside names, through CoreDNS and the nodes' resolver."""
        pod = traffic.pods[node.name]
        answers = {name: api.execute(pod, "dig", "+short", "+time=5", name) for name in spec.machines.outside_names}
        assert answers == {name: f"{address}\n" for name, address in spec.machines.outside_names.items()}

    @pytest.mark.step("master_node.sh", "pod-network")
    @pytest.mark.needs("pod_mtu", "workers")
    def test_pod_mtu(self, api: Api, traffic: Traffic, node: Node, spec: Spec) -> None:
        """The largest packet that reaches another node's pod in one piece is what the spec's encapsulation leaves."""
        target = next(pod.status.pod_ip for name, pod in traffic.pods.items() if name != node.name)
        fits = spec.pod_mtu - ICMP_HEADERS
        ping = f"ping -q -c 1 -W 1 -M do {target} -s"
        script = f"{ping} {fits} > /dev/null && echo fits; {ping} {fits + 1} > /dev/null 2>&1 || echo too large"
        assert api.execute(traffic.pods[node.name], "sh", "-c", script) == "fits\ntoo large\n"
