"""Network policies: who may talk to a pod, and who may not."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from kubernetes.client.models import V1Pod

from kubeproof.api import Api
from kubeproof.spec import Spec
from kubeproof.traffic import PORT, admit_only, talkers, temporary_namespace
from kubeproof.waiting import wait_for

SYNC = 15  # seconds for Calico to bring a new policy into every node's rules
GET = ["curl", "--silent", "--max-time", "2"]


@dataclass
class Guarded:
    """A pod that by policy answers the friend alone, and where it answers."""

    friend: V1Pod
    stranger: V1Pod
    url: str


@pytest.fixture(scope="class")
def guarded(api: Api, spec: Spec) -> Iterator[Guarded]:
    """The guarded pod is on the last worker, those who ask it on the first."""
    first, last = spec.workers[0].name, spec.workers[-1].name
    with temporary_namespace(api) as namespace:
        pods = talkers(api, namespace, spec.traffic_image, {"guarded": last, "friend": first, "stranger": first})
        admit_only(api, pods["guarded"], pods["friend"])
        yield Guarded(pods["friend"], pods["stranger"], f"http://{pods['guarded'].status.pod_ip}:{PORT}/hostname")


@pytest.mark.needs("components.calico", "traffic_image", "workers")
@pytest.mark.writes
class TestNetworkPolicy:
    """One policy for both facts: each shows that the other is not seen for want of traffic or of policy."""

    @pytest.mark.step("master_node.sh", "pod-network")
    def test_network_policy_denies(self, api: Api, guarded: Guarded) -> None:
        """Who is not named gets no answer."""
        wait_for(
            "the stranger is refused",
            lambda: api.execute(guarded.stranger, *GET, guarded.url),
            until=lambda answer: answer == "",
            within=SYNC,
        )

    @pytest.mark.step("master_node.sh", "pod-network")
    def test_network_policy_allows(self, api: Api, guarded: Guarded) -> None:
        """Who is named is answered."""
        wait_for(
            "the friend is answered",
            lambda: api.execute(guarded.friend, *GET, guarded.url),
            until=lambda answer: answer == "guarded",
            within=SYNC,
        )
