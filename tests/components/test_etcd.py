"""etcd, the store of the cluster's state."""

import json

import pytest
from testinfra.host import Host

from kubeproof.checks import Spec, wellknown

ETCDCTL = (
    "crictl exec $(crictl ps --name '^etcd$' --quiet) etcdctl --write-out json"
    " --cacert /etc/kubernetes/pki/etcd/ca.crt"
    " --cert /etc/kubernetes/pki/etcd/healthcheck-client.crt --key /etc/kubernetes/pki/etcd/healthcheck-client.key"
)

pytestmark = pytest.mark.needs("components.etcd")


@pytest.mark.step("master_node.sh", "kubeadm-init")
def test_etcd_is_healthy(control_plane: Host) -> None:
    """etcd commits a proposal."""
    assert json.loads(control_plane.check_output(f"{ETCDCTL} endpoint health"))[0]["health"] is True


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("nodes.address")
def test_etcd_members(control_plane: Host, spec: Spec) -> None:
    """etcd's members are the control planes, at their private addresses."""
    members = json.loads(control_plane.check_output(f"{ETCDCTL} member list"))["members"]
    assert {member["name"]: member["clientURLs"] for member in members} == {
        node.name: [f"https://{node.address}:{wellknown.ETCD_CLIENT_PORT}"] for node in spec.control_planes
    }
