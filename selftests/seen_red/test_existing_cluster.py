"""An existing cluster is judged with read-only credentials, and by experiments if its owner allows them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeproof.process import paths
from selftests.seen_red.kept_cluster import KeptCluster, red

# Checks of the path from the API server to each kubelet run a command in a pod, which creates an exec.
READER = """
kubectl create namespace reader
kubectl --namespace reader create serviceaccount reader
kubectl apply --filename - <<'EOF'
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
  - {apiGroups: ["*"], resources: ["*"], verbs: [get, list, watch]}
  - {apiGroups: [""], resources: [pods/exec], verbs: [create]}
  - {nonResourceURLs: ["*"], verbs: [get]}
EOF
kubectl create clusterrolebinding reader --clusterrole reader --serviceaccount reader:reader
kubectl --namespace reader create token reader --duration 1h > /run/token
"""
NO_READER = """
kubectl delete clusterrolebinding reader
kubectl delete clusterrole reader
kubectl delete namespace reader
"""
BEFORE = "touch /run/before"
SCRIPTS_CHECK = "join_verifies_the_ca"  # needs `scripts`, so it is not judged on an existing cluster
# The folders that only people change; services write under /var and /run all the time.
CHANGED = "find /boot /etc /home /opt /root /srv /usr -newer /run/before"
# Without the rules of kube-proxy, kubelet and Calico, which change with the pods.
RULES = "iptables-save | grep -Ev '^#|KUBE-|cali' | sed 's/\\[[0-9:]*\\]//'"


def stated(kept: KeptCluster, *more: str) -> dict[str, Any]:
    """The part of the kept cluster's spec that an existing cluster's spec can state, with the keys of `more`."""
    document = yaml.safe_load(kept.spec.read_text())
    return {
        "ssh_config": str(kept.state / "ssh_config"),
        "nodes": [{key: node[key] for key in ("name", "role", "address")} for node in document["nodes"]],
        "not_applicable": document["systems"]["lab"]["not_applicable"],
        **{key: document[key] for key in ("kubernetes", "components", "networks", "machine", *more)},
    }


@pytest.mark.parametrize("bundled", [paths.DEFAULT_SPEC], ids=["default"], indirect=True)
def test_a_cluster_that_exists_is_only_read(kept: KeptCluster, tmp_path: Path) -> None:
    """Every check that the spec allows runs over the API and ssh, and changes nothing."""
    host, document = kept.enter(kept.control_plane), stated(kept)
    machines = [kept.enter(node["name"]) for node in document["nodes"]]
    with kept.broken([{"machine": kept.control_plane, "make": READER, "mend": NO_READER}]):
        kubeconfig = yaml.safe_load((kept.state / "kubeconfig").read_text())
        kubeconfig["users"][0]["user"] = {"token": host.check_output("cat /run/token")}
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
        spec = kept.existing(kubeconfig=str(tmp_path / "kubeconfig"), **document)
        rules = [machine.check_output(RULES) for machine in machines]
        for machine in machines:
            machine.check_output(BEFORE)
        judged = kept.judge("not no_namespace_is_left", spec=spec, disruption=False)
        assert {result.node for result in judged} > {node["name"] for node in document["nodes"]}
        assert red(judged) == kept.throughout - {SCRIPTS_CHECK}
        assert [machine.check_output(CHANGED) for machine in machines] == [""] * len(machines)
        assert [machine.check_output(RULES) for machine in machines] == rules


@pytest.mark.parametrize("bundled", [paths.DEFAULT_SPEC], ids=["default"], indirect=True)
def test_experiments_that_its_owner_allows_find_it_well(kept: KeptCluster) -> None:
    """All experiments that need no provider are green, and the cluster is as before."""
    spec = kept.existing(**stated(kept, "traffic_image", "experiments"))
    judged = kept.judge(spec=spec, experiments=True)
    assert {result.component for result in judged} > {"kubelet_stopped", "api_server_stopped", "etcd_stopped"}
    assert red(judged) == kept.throughout - {SCRIPTS_CHECK}
