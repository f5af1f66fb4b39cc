"""Version: the control plane's release and health, as the API server reports them."""

import pytest

from kubeproof.checks import Api, Spec


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.needs("kubernetes.version")
def test_version(api: Api, spec: Spec) -> None:
    """The API server is the spec's release."""
    assert api.version.get_code().git_version == f"v{spec.kubernetes.version}"


@pytest.mark.step("master_node.sh", "kubeadm-init")
@pytest.mark.parametrize("endpoint", ["livez", "readyz"])
def test_api_server_is_well(api: Api, endpoint: str) -> None:
    """Each of the API server's own health checks returns ok."""
    checks = [line for line in api.raw(f"/{endpoint}?verbose").splitlines() if line.startswith(("[+]", "[-]"))]
    assert [check for check in checks if not check.endswith(" ok")] == []
    assert checks != []
