"""Address ranges: those of pods, Services and machines do not overlap."""

import ipaddress
import itertools

import pytest
import yaml
from kubernetes.client.models import V1Node

from kubeproof.checks import Api, Spec, stated, wellknown


def networking(api: Api) -> dict[str, str]:
    """The networks in kubeadm's own record of the cluster."""
    record = api.core.read_namespaced_config_map("kubeadm-config", wellknown.SYSTEM_NAMESPACE)
    networks: dict[str, str] = yaml.safe_load(record.data["ClusterConfiguration"])["networking"]
    return networks


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("networks.pod")
def test_pod_cidr_of_node(registered_node: V1Node, spec: Spec) -> None:
    """The node's range of pod addresses is part of the pod network."""
    node_range = ipaddress.IPv4Network(registered_node.spec.pod_cidr)
    assert node_range.subnet_of(stated(spec.networks.pod))


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("networks.pod")
def test_pod_cidrs_are_disjoint(api: Api) -> None:
    """The nodes' ranges of pod addresses do not overlap."""
    ranges = [ipaddress.IPv4Network(node.spec.pod_cidr) for node in api.core.list_node().items]
    assert [pair for pair in itertools.combinations(ranges, 2) if pair[0].overlaps(pair[1])] == []


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.parametrize("network", ["pod", "service"])
@pytest.mark.needs("components.kubeadm", "networks.pod", "networks.service")
def test_kubeadm_networking(api: Api, spec: Spec, network: str) -> None:
    """kubeadm's own record of the network, which an upgrade uses, is the spec's."""
    assert networking(api)[f"{network}Subnet"] == str(getattr(spec.networks, network))


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.parametrize("network", ["pod", "service"])
@pytest.mark.needs("components.kubeadm")
def test_cidr_is_canonical(api: Api, network: str) -> None:
    """The network has no host bits: some components would round it, and others would refuse it."""
    cidr = networking(api)[f"{network}Subnet"]
    assert str(ipaddress.IPv4Network(cidr, strict=False)) == cidr


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm")
def test_cidrs_do_not_overlap(api: Api) -> None:
    """The address ranges of pods, Services and machines do not overlap."""
    recorded = networking(api)
    pods, services = (ipaddress.IPv4Network(recorded[f"{name}Subnet"], strict=False) for name in ("pod", "service"))
    addresses = [address for node in api.core.list_node().items for address in node.status.addresses or []]
    machines = [address.address for address in addresses if address.type == "InternalIP"]
    assert not pods.overlaps(services)
    assert [address for address in machines if ipaddress.IPv4Address(address) in pods] == []
    assert [address for address in machines if ipaddress.IPv4Address(address) in services] == []


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("networks.service")
def test_service_ip_is_in_the_network(api: Api, spec: Spec) -> None:
    """The API's own Service has the first address of the Service network."""
    service = api.core.read_namespaced_service(wellknown.API_SERVICE, wellknown.DEFAULT_NAMESPACE)
    assert service.spec.cluster_ip == str(next(stated(spec.networks.service).hosts()))


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("networks.pod")
def test_pod_ip_is_in_the_pool(api: Api, spec: Spec) -> None:
    """Every pod that is not on the host network has an address in the pod network."""
    pods = [pod for pod in api.core.list_pod_for_all_namespaces().items if not pod.spec.host_network]
    addresses = {pod.metadata.name: pod.status.pod_ip for pod in pods if pod.status.pod_ip}
    network = stated(spec.networks.pod)
    assert {name: ip for name, ip in addresses.items() if ipaddress.IPv4Address(ip) not in network} == {}
    assert addresses != {}
