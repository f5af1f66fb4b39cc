"""The system's pods."""

import pytest

from kubeproof.api import Api, is_ready


@pytest.mark.step("master_node.sh", "calico")
def test_system_pods_are_ready(api: Api) -> None:
    """Every pod in kube-system is Ready."""
    assert [pod.metadata.name for pod in api.pods() if not is_ready(pod)] == []


def test_no_pending_csr(api: Api) -> None:
    """No certificate waits for somebody's approval."""
    requests = api.certificates.list_certificate_signing_request().items
    assert [one.metadata.name for one in requests if not one.status.conditions] == []
