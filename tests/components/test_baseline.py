"""After all experiments, the cluster is as it was; every read-only check is also repeated then."""

import pytest

from kubeproof.checks import Api, wellknown

STANDING = {wellknown.DEFAULT_NAMESPACE, "kube-node-lease", "kube-public", *wellknown.SYSTEM_NAMESPACES}


@pytest.mark.needs("scripts")
@pytest.mark.after_experiments
def test_no_namespace_is_left(api: Api) -> None:
    """No namespace of the checks is left, except those that are being deleted."""
    namespaces = [item for item in api.core.list_namespace().items if item.status.phase == "Active"]
    assert {item.metadata.name for item in namespaces} - STANDING == set()
