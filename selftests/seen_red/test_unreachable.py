"""A machine that can't be entered gives errors that say so, at once, on its own checks alone; the rest goes on."""

from dataclasses import dataclass

import pytest

from kubeproof.process import paths
from kubeproof.results.model import Result
from selftests.seen_red.kept_cluster import KeptCluster, red

CUT = "w3-k8s"
BANNER_SECONDS = 15  # that paramiko waits for ssh's first word
# Its pods are wherever the scheduler puts them, and are found there.
WHEREVER = "a_killed_container_is_started_again"


@dataclass(frozen=True)
class Way:
    """How ssh is cut, and comes back, over the connection that is kept; and how long who knocks has to wait."""

    name: str
    make: str
    mend: str
    seconds: float


WAYS = [
    Way("refused", "systemctl stop ssh", "systemctl start ssh", seconds=5),
    Way("silent", "kill -STOP $(cat /run/sshd.pid)", "kill -CONT $(cat /run/sshd.pid)", BANNER_SECONDS + 5),
]


def is_of(result: Result, machine: str) -> bool:
    """Whether the check looks at that machine, alone or as one of two."""
    return result.node == machine or machine in result.check


@pytest.mark.parametrize("bundled", [paths.DEFAULT_SPEC], ids=["default"], indirect=True)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_an_unreachable_machine_is_an_error_of_its_own_checks(way: Way, kept: KeptCluster, whole: list[Result]) -> None:
    """Each of them says so, once it is known at once, and whatever does not enter it is judged as ever."""
    with kept.broken([{"machine": CUT, "make": way.make, "mend": way.mend}]):
        judged = kept.judge(f"not coredns_spread and not {WHEREVER}")
    errors = [result for result in judged if result.outcome == "error"]
    assert {result.name for result in judged} == {result.name for result in whole if result.check != WHEREVER}
    assert red([result for result in judged if result not in errors]) == kept.throughout
    assert [result.name for result in errors if not is_of(result, CUT)] == []
    assert {result.message.partition(":")[0] for result in errors} == {f"{CUT} can't be entered over ssh"}
    assert {"swap_is_off", "kubelet_is_running", "peer_ports_are_open"} < red(errors)
    waited = sorted((result.seconds for result in errors), reverse=True)
    assert waited[0] < way.seconds
    assert sum(waited[3:]) < way.seconds, "each worker waits once"
