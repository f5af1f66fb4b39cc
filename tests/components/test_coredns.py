"""CoreDNS, which resolves Service names for pods."""

import pytest
import yaml

from kubeproof.checks import Api, Spec, stated, wellknown

pytestmark = pytest.mark.needs("components.coredns")


@pytest.mark.step("master_node.sh", "pod-network")
def test_coredns_replicas(api: Api) -> None:
    """CoreDNS has two replicas or more, and all are Ready."""
    deployment = api.apps.read_namespaced_deployment("coredns", wellknown.SYSTEM_NAMESPACE)
    assert deployment.status.ready_replicas == deployment.spec.replicas
    assert deployment.spec.replicas >= 2  # kubeadm's default, so that one may fail


@pytest.mark.step("master_node.sh", "pod-network")
@pytest.mark.needs("kubernetes.coredns_spread == true")
def test_coredns_spread(api: Api) -> None:
    """The replicas run on more than one node, so that names survive the loss of a node."""
    assert len({pod.spec.node_name for pod in api.pods(wellknown.COREDNS_PODS)}) > 1


@pytest.mark.step("config.sh", "resolver")
def test_coredns_does_not_loop(api: Api) -> None:
    """No replica has exited with an error, as CoreDNS does when it forwards to itself."""
    ended = [
        (pod.metadata.name, container.last_state.terminated.exit_code)
        for pod in api.pods(wellknown.COREDNS_PODS)
        for container in pod.status.container_statuses or []  # a pod without a node has none
        if container.last_state.terminated
    ]
    assert [name for name, code in ended if code == 1] == []


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("networks.service")
def test_coredns_service_ip(api: Api, spec: Spec) -> None:
    """CoreDNS's Service has the tenth address of the Service network."""
    tenth = stated(spec.networks.service).network_address + 10
    assert api.core.read_namespaced_service(
        wellknown.COREDNS_SERVICE, wellknown.SYSTEM_NAMESPACE
    ).spec.cluster_ip == str(tenth)


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm", "networks.service", "kubernetes.dns_domain")
def test_kubelet_gives_coredns_to_pods(api: Api, spec: Spec) -> None:
    """kubelet gives CoreDNS's address and the spec's domain to pods."""
    record = api.core.read_namespaced_config_map("kubelet-config", wellknown.SYSTEM_NAMESPACE).data["kubelet"]
    config = yaml.safe_load(record)
    assert config["clusterDNS"] == [str(stated(spec.networks.service).network_address + 10)]
    assert config["clusterDomain"] == spec.kubernetes.dns_domain
