"""API server, controller manager and scheduler."""

import datetime

import pytest
from testinfra.host import Host

from kubeproof.checks import Api, Spec, is_ready, wellknown

COMPONENTS = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"]
ETCD = pytest.param("etcd", marks=pytest.mark.needs("components.etcd"))


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.parametrize("component", [*COMPONENTS, ETCD])
@pytest.mark.needs("components.kubeadm", "control_plane")
def test_component_is_ready(api: Api, component: str, spec: Spec) -> None:
    """The component's static pod is Ready on each control plane."""
    assert [is_ready(pod) for pod in api.pods(f"{wellknown.COMPONENT_LABEL}={component}")] == [
        True for _ in spec.control_planes
    ]


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.parametrize("component", ["kube-controller-manager", "kube-scheduler"])
@pytest.mark.needs("components.kubeadm")
def test_lease_is_fresh(api: Api, component: str) -> None:
    """The component has a leader that renewed its lease in time."""
    lease = api.coordination.read_namespaced_lease(component, wellknown.SYSTEM_NAMESPACE).spec
    age = datetime.datetime.now(datetime.UTC) - lease.renew_time
    assert age < datetime.timedelta(seconds=lease.lease_duration_seconds)


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("control_plane", "nodes.address")
def test_advertise_address(api: Api, spec: Spec) -> None:
    """Each API server advertises its private address."""
    slices = api.discovery.list_namespaced_endpoint_slice(
        wellknown.DEFAULT_NAMESPACE, label_selector=f"{wellknown.SERVICE_LABEL}={wellknown.API_SERVICE}"
    ).items
    assert {address for part in slices for end in part.endpoints for address in end.addresses} == {
        str(node.address) for node in spec.control_planes
    }


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("components.kubeadm", "networks.pod")
def test_controller_manager_cluster_cidr(api: Api, spec: Spec) -> None:
    """The controller manager divides the spec's pod network among the nodes."""
    command = api.pods(f"{wellknown.COMPONENT_LABEL}=kube-controller-manager")[0].spec.containers[0].command
    assert f"--cluster-cidr={spec.networks.pod}" in command


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.parametrize("component", [*COMPONENTS, ETCD])
@pytest.mark.needs("components.kubeadm")
def test_manifest_is_private(control_plane: Host, component: str) -> None:
    """Only root can read or change the component's manifest."""
    file = control_plane.file(f"/etc/kubernetes/manifests/{component}.yaml")
    assert (oct(file.mode), file.user) == (oct(0o600), "root")
