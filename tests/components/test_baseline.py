"""The last look, with every check that only looks once more: after all experiments the cluster is as it was."""

import pytest

from kubeproof.checks import Api, wellknown

STANDING = {"default", "kube-node-lease", "kube-public", *wellknown.SYSTEM_NAMESPACES}


@pytest.mark.needs("scripts")
@pytest.mark.after_experiments
def test_no_namespace_is_left(api: Api) -> None:
    """Nothing that the checks made is left, but what is on its way out."""
    names = [one.metadata.name for one in api.core.list_namespace().items if one.status.phase == "Active"]
    assert set(names) - STANDING == set()
