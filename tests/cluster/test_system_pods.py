"""System pods: the pods of the cluster's own namespaces are Ready and stay up."""

import datetime

import pytest

from kubeproof.checks import Api, is_done, is_ready


@pytest.mark.step("master_node.sh", "pod-network")
def test_system_pods_are_ready(api: Api) -> None:
    """Every pod of the system's namespaces is Ready or has finished its work."""
    assert [pod.metadata.name for pod in api.system_pods() if not is_ready(pod) and not is_done(pod)] == []


@pytest.mark.unless("scripts")
@pytest.mark.once
def test_system_pods_stay_up(api: Api) -> None:
    """No container of the system's namespaces ended in the last hour."""
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    ended = {
        pod.metadata.name: container.last_state.terminated.finished_at
        for pod in api.system_pods()
        for container in pod.status.container_statuses or []
        if container.last_state.terminated
    }
    assert {name: str(when) for name, when in ended.items() if when > since} == {}


@pytest.mark.step("work_nodes.sh", "kubeadm-join")
def test_no_pending_csr(api: Api) -> None:
    """No certificate signing request waits for approval."""
    requests = api.certificates.list_certificate_signing_request().items
    assert [request.metadata.name for request in requests if not request.status.conditions] == []
