"""Nodes that the spec does not list, as of a cluster that grows and shrinks by itself: what holds of any node."""

from collections.abc import Iterator

import pytest

from kubeproof.checks import TALKER_PORT, Api, Spec, Traffic, condition, curl, minor, on_every_node, stated

pytestmark = pytest.mark.unless("nodes")

OLDEST_KUBELET = 3  # minors behind the API server: https://kubernetes.io/releases/version-skew-policy/#kubelet


def test_every_node_is_ready(api: Api) -> None:
    """Every node takes pods, and there is one."""
    ready = {node.metadata.name: condition(node, "Ready") for node in api.core.list_node().items}
    assert {name: status for name, status in ready.items() if status != "True"} == {}
    assert ready != {}


@pytest.mark.parametrize("pressure", ["MemoryPressure", "DiskPressure", "PIDPressure"])
def test_no_node_is_under_pressure(api: Api, pressure: str) -> None:
    """No node lacks memory, disk or process ids."""
    nodes = api.core.list_node().items
    assert [node.metadata.name for node in nodes if condition(node, pressure) == "True"] == []


def test_no_node_lacks_its_network(api: Api) -> None:
    """No node waits for somebody to set its network up."""
    nodes = api.core.list_node().items
    assert [node.metadata.name for node in nodes if condition(node, "NetworkUnavailable") == "True"] == []


def test_kubelets_fit_the_api_server(api: Api) -> None:
    """No kubelet is newer than the API server, or more than three minors older."""
    server = minor(api.version.get_code().git_version)
    kubelets = {node.metadata.name: minor(node.status.node_info.kubelet_version) for node in api.core.list_node().items}
    assert {name: one for name, one in kubelets.items() if not server - OLDEST_KUBELET <= one <= server} == {}


@pytest.fixture(scope="class")
def traffic(api: Api, spec: Spec) -> Iterator[Traffic]:
    """A talking pod on each node that takes ordinary pods."""
    ordinary = [node for node in api.core.list_node().items if not node.spec.unschedulable and not node.spec.taints]
    with on_every_node(api, stated(spec.traffic_image), [node.metadata.name for node in ordinary]) as talkers:
        assert len(talkers.pods) > 1, "traffic between nodes needs two that take ordinary pods"
        yield talkers


@pytest.mark.writes
@pytest.mark.needs("traffic_image")
class TestTrafficOfUnlistedNodes:
    """One talking pod on each node serves all of these."""

    def test_each_node_reaches_the_next(self, api: Api, traffic: Traffic) -> None:
        """In a ring: each node's pod reaches another's, and is reached by another's."""
        names = sorted(traffic.pods)
        ring = list(zip(names, [*names[1:], names[0]], strict=True))
        answers = {
            other: api.execute(
                traffic.pods[one],
                "sh",
                "-c",
                curl(f"http://{traffic.pods[other].status.pod_ip}:{TALKER_PORT}/hostname"),
            )
            for one, other in ring
        }
        assert answers == {name: traffic.pods[name].metadata.name for name in names}

    def test_every_node_resolves_the_api(self, api: Api, traffic: Traffic) -> None:
        """A pod on each node finds the API's Service by its short name."""
        address = api.core.read_namespaced_service("kubernetes", "default").spec.cluster_ip
        question = ["dig", "+search", "+short", "+time=5", "kubernetes.default"]
        answers = {name: api.execute(pod, *question).split() for name, pod in traffic.pods.items()}
        assert answers == {name: [address] for name in traffic.pods}
