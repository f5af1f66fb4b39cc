"""A cluster that exists is judged by who may change nothing of it, or, where its owner allows that, by experiments."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeproof.process import paths
from selftests.seen_red.kept_cluster import KeptCluster, red

# To run a command in a pod is to create an exec: it is how the way from the API server to each kubelet is asked.
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
OF_THE_SCRIPTS = "join_verifies_the_ca"  # asks what they left
# What somebody keeps on a machine; under /var and /run its services write all the time.
CHANGED = "find /boot /etc /home /opt /root /srv /usr -newer /run/before"
# But for kube-proxy's, kubelet's and Calico's own, which follow the pods that come and go.
RULES = "iptables-save | grep -Ev '^#|KUBE-|cali' | sed 's/\\[[0-9:]*\\]//'"


def stated(kept: KeptCluster, *more: str) -> dict[str, Any]:
    """What its own spec says of the kept cluster, but for how it is made."""
    document = yaml.safe_load(kept.spec.read_text())
    return {
        "ssh_config": str(kept.state / "ssh_config"),
        "nodes": [{key: node[key] for key in ("name", "role", "address")} for node in document["nodes"]],
        "not_applicable": document["systems"]["lab"]["not_applicable"],
        **{key: document[key] for key in ("kubernetes", "components", "networks", "machine", *more)},
    }


@pytest.mark.parametrize("bundled", [paths.DEFAULT_SPEC], ids=["default"], indirect=True)
def test_a_cluster_that_exists_is_only_read(kept: KeptCluster, tmp_path: Path) -> None:
    """All that its spec states, over the API and over ssh."""
    host, known = kept.enter(kept.control_plane), stated(kept)
    machines = [kept.enter(node["name"]) for node in known["nodes"]]
    with kept.broken([{"machine": kept.control_plane, "make": READER, "mend": NO_READER}]):
        kubeconfig = yaml.safe_load((kept.state / "kubeconfig").read_text())
        kubeconfig["users"][0]["user"] = {"token": host.check_output("cat /run/token")}
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
        spec = kept.existing(kubeconfig=str(tmp_path / "kubeconfig"), **known)
        rules = [machine.check_output(RULES) for machine in machines]
        for machine in machines:
            machine.check_output(BEFORE)
        judged = kept.judge("not no_namespace_is_left", spec=spec, disruption=False)
        assert {result.node for result in judged} > {node["name"] for node in known["nodes"]}
        assert red(judged) == kept.throughout - {OF_THE_SCRIPTS}
        assert [machine.check_output(CHANGED) for machine in machines] == [""] * len(machines)
        assert [machine.check_output(RULES) for machine in machines] == rules


@pytest.mark.parametrize("bundled", [paths.DEFAULT_SPEC], ids=["default"], indirect=True)
def test_experiments_that_its_owner_allows_find_it_well(kept: KeptCluster) -> None:
    """All but those for which whoever made the machines is needed; and all is as before."""
    spec = kept.existing(**stated(kept, "traffic_image", "experiments"))
    judged = kept.judge(spec=spec, experiments=True)
    assert {result.component for result in judged} > {"kubelet_stopped", "api_server_stopped", "etcd_stopped"}
    assert red(judged) == kept.throughout - {OF_THE_SCRIPTS}
