"""Unlisted nodes: facts about every node, for a spec that lists none because nodes come and go."""

from collections.abc import Iterator

import pytest

from kubeproof.checks import Api, Spec, Traffic, condition, curl, minor, on_every_node, stated, wellknown

pytestmark = pytest.mark.unless("nodes")

OLDEST_KUBELET = 3  # minor versions behind the API server: https://kubernetes.io/releases/version-skew-policy/#kubelet


def test_every_node_is_ready(api: Api) -> None:
    """The cluster has a node, and every node is Ready."""
    ready = {node.metadata.name: condition(node, "Ready") for node in api.core.list_node().items}
    assert {name: status for name, status in ready.items() if status != "True"} == {}
    assert ready != {}


@pytest.mark.parametrize("pressure", ["MemoryPressure", "DiskPressure", "PIDPressure"])
def test_no_node_is_under_pressure(api: Api, pressure: str) -> None:
    """Every node has enough memory, disk space and process ids."""
    nodes = api.core.list_node().items
    assert [node.metadata.name for node in nodes if condition(node, pressure) == "True"] == []


def test_no_node_lacks_its_network(api: Api) -> None:
    """No node reports its network as unavailable."""
    nodes = api.core.list_node().items
    assert [node.metadata.name for node in nodes if condition(node, "NetworkUnavailable") == "True"] == []


def test_kubelets_fit_the_api_server(api: Api) -> None:
    """No kubelet is newer than the API server, or more than three minor versions older."""
    server = minor(api.version.get_code().git_version)
    kubelets = {node.metadata.name: minor(node.status.node_info.kubelet_version) for node in api.core.list_node().items}
    assert {
        name: kubelet for name, kubelet in kubelets.items() if not server - OLDEST_KUBELET <= kubelet <= server
    } == {}


@pytest.fixture(scope="class")
def traffic(api: Api, spec: Spec) -> Iterator[Traffic]:
    """A test pod on each node that accepts ordinary pods."""
    ordinary = [node for node in api.core.list_node().items if not node.spec.unschedulable and not node.spec.taints]
    with on_every_node(api, stated(spec.traffic_image), [node.metadata.name for node in ordinary]) as talkers:
        assert len(talkers.pods) > 1, "traffic between nodes needs two nodes that accept ordinary pods"
        yield talkers


@pytest.mark.writes
@pytest.mark.needs("traffic_image")
class TestTrafficOfUnlistedNodes:
    """Checks that share one test pod on each node."""

    def test_each_node_reaches_the_next(self, api: Api, traffic: Traffic) -> None:
        """The pod on each node reaches the pod on the next node, in a ring through all nodes."""
        names = sorted(traffic.pods)
        ring = list(zip(names, [*names[1:], names[0]], strict=True))
        answers = {
            target: api.execute(traffic.pods[source], "sh", "-c", curl(traffic.pod_url(target)))
            for source, target in ring
        }
        assert answers == {name: traffic.pods[name].metadata.name for name in names}

    def test_every_node_resolves_the_api(self, api: Api, traffic: Traffic) -> None:
        """A pod on each node resolves the short name of the API's Service."""
        address = api.core.read_namespaced_service(wellknown.API_SERVICE, wellknown.DEFAULT_NAMESPACE).spec.cluster_ip
        question = ["dig", "+search", "+short", "+time=5", f"{wellknown.API_SERVICE}.{wellknown.DEFAULT_NAMESPACE}"]
        answers = {name: api.execute(pod, *question).split() for name, pod in traffic.pods.items()}
        assert answers == {name: [address] for name in traffic.pods}
