"""Address ranges: pods', Services' and machines', apart from each other."""

import ipaddress
import itertools

import pytest
import yaml
from kubernetes.client.models import V1Node

from kubeproof.checks import Api, Spec, stated, wellknown


def networking(api: Api) -> dict[str, str]:
    """What kubeadm's own record says of the network."""
    record = api.core.read_namespaced_config_map("kubeadm-config", wellknown.SYSTEM_NAMESPACE).data[
        "ClusterConfiguration"
    ]
    found: dict[str, str] = yaml.safe_load(record)["networking"]
    return found


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("networks.pod")
def test_pod_cidr_of_node(registered_node: V1Node, spec: Spec) -> None:
    """The node's share of pod addresses is part of the pod network."""
    share = ipaddress.IPv4Network(registered_node.spec.pod_cidr)
    assert share.subnet_of(stated(spec.networks.pod))


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("networks.pod")
def test_pod_cidrs_are_disjoint(api: Api) -> None:
    """No two nodes share pod addresses."""
    shares = [ipaddress.IPv4Network(node.spec.pod_cidr) for node in api.core.list_node().items]
    assert [pair for pair in itertools.combinations(shares, 2) if pair[0].overlaps(pair[1])] == []


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.parametrize("network", ["pod", "service"])
@pytest.mark.needs("components.kubeadm", "networks.pod", "networks.service")
def test_kubeadm_networking(api: Api, spec: Spec, network: str) -> None:
    """kubeadm's own record of the network is the spec's: an upgrade goes by it."""
    assert networking(api)[f"{network}Subnet"] == str(getattr(spec.networks, network))


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.parametrize("network", ["pod", "service"])
@pytest.mark.needs("components.kubeadm")
def test_cidr_is_canonical(api: Api, network: str) -> None:
    """The network has no host bits: some parts would round it, others refuse it."""
    cidr = networking(api)[f"{network}Subnet"]
    assert str(ipaddress.IPv4Network(cidr, strict=False)) == cidr


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm")
def test_cidrs_do_not_overlap(api: Api) -> None:
    """Pods, Services and machines have addresses apart from each other."""
    recorded = networking(api)
    pods, services = (ipaddress.IPv4Network(recorded[f"{name}Subnet"], strict=False) for name in ("pod", "service"))
    nodes = [
        one for node in api.core.list_node().items for one in node.status.addresses or [] if one.type == "InternalIP"
    ]
    assert not pods.overlaps(services)
    assert [one.address for one in nodes if ipaddress.IPv4Address(one.address) in pods] == []
    assert [one.address for one in nodes if ipaddress.IPv4Address(one.address) in services] == []


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("networks.service")
def test_service_ip_is_in_the_network(api: Api, spec: Spec) -> None:
    """The API's own Service has the first address of the Service network."""
    assert api.core.read_namespaced_service("kubernetes", "default").spec.cluster_ip == str(
        next(stated(spec.networks.service).hosts())
    )


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("networks.pod")
def test_pod_ip_is_in_the_pool(api: Api, spec: Spec) -> None:
    """Every pod off the host network gets an address in the pod network."""
    pods = [pod for pod in api.core.list_pod_for_all_namespaces().items if not pod.spec.host_network]
    addresses = {pod.metadata.name: pod.status.pod_ip for pod in pods if pod.status.pod_ip}
    assert {
        name: ip for name, ip in addresses.items() if ipaddress.IPv4Address(ip) not in stated(spec.networks.pod)
    } == {}
    assert addresses != {}
