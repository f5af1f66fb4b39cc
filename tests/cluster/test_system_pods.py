"""The system's pods."""

import datetime

import pytest

from kubeproof.checks import Api, is_done, is_ready


@pytest.mark.step("master_node.sh", "pod-network")
def test_system_pods_are_ready(api: Api) -> None:
    """Every pod of the system's namespaces is Ready, but for those that have done their work."""
    assert [pod.metadata.name for pod in api.system_pods() if not is_ready(pod) and not is_done(pod)] == []


@pytest.mark.unless("scripts")
@pytest.mark.once
def test_system_pods_stay_up(api: Api) -> None:
    """No container of the system's namespaces ended in the last hour: of a cluster that nobody just brought up."""
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    ended = {
        pod.metadata.name: one.last_state.terminated.finished_at
        for pod in api.system_pods()
        for one in pod.status.container_statuses or []
        if one.last_state.terminated
    }
    assert {name: str(when) for name, when in ended.items() if when > since} == {}


@pytest.mark.step("work_nodes.sh", "kubeadm-join")
def test_no_pending_csr(api: Api) -> None:
    """No certificate waits for somebody's approval."""
    requests = api.certificates.list_certificate_signing_request().items
    assert [one.metadata.name for one in requests if not one.status.conditions] == []
