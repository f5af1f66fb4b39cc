"""CoreDNS, by which pods find Services by name."""

import pytest
import yaml

from kubeproof.checks import Api, Spec, stated, wellknown

pytestmark = pytest.mark.needs("components.coredns")

SELECTOR = "k8s-app=kube-dns"


@pytest.mark.step("master_node.sh", "pod-network")
def test_coredns_replicas(api: Api) -> None:
    """Every replica that is asked for is Ready, and there are two at least."""
    deployment = api.apps.read_namespaced_deployment("coredns", wellknown.SYSTEM_NAMESPACE)
    assert deployment.status.ready_replicas == deployment.spec.replicas
    assert deployment.spec.replicas >= 2  # kubeadm's default, so that one may go


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("kubernetes.coredns_spread")
def test_coredns_spread(api: Api) -> None:
    """No node has all replicas: one that goes does not take every name along."""
    assert len({pod.spec.node_name for pod in api.pods(SELECTOR)}) > 1


@pytest.mark.step("config.sh", "resolver")
def test_coredns_does_not_loop(api: Api) -> None:
    """No replica has ended itself in failure, as one does that finds itself to be its own upstream."""
    ended = [
        (pod.metadata.name, one.last_state.terminated.exit_code)
        for pod in api.pods(SELECTOR)
        for one in pod.status.container_statuses or []  # of one that no node has yet there are none
        if one.last_state.terminated
    ]
    assert [name for name, code in ended if code == 1] == []


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("networks.service")
def test_coredns_service_ip(api: Api, spec: Spec) -> None:
    """Its Service has the tenth address of the Service network, which kubelet gives to pods."""
    tenth = stated(spec.networks.service).network_address + 10
    assert api.core.read_namespaced_service("kube-dns", wellknown.SYSTEM_NAMESPACE).spec.cluster_ip == str(tenth)


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm", "networks.service", "kubernetes.dns_domain")
def test_kubelet_gives_coredns_to_pods(api: Api, spec: Spec) -> None:
    """kubelet's configuration names that address and the spec's domain."""
    record = api.core.read_namespaced_config_map("kubelet-config", wellknown.SYSTEM_NAMESPACE).data["kubelet"]
    config = yaml.safe_load(record)
    assert config["clusterDNS"] == [str(stated(spec.networks.service).network_address + 10)]
    assert config["clusterDomain"] == spec.kubernetes.dns_domain
