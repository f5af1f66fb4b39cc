"""The checks of a machine that can't be entered are errors at once, and all other checks are judged."""

from dataclasses import dataclass

import pytest

from kubeproof.process import paths
from kubeproof.results.model import Result
from selftests.seen_red.kept_cluster import KeptCluster, red

MACHINE = "w3-k8s"
BANNER_SECONDS = 15  # paramiko's time-out for the server's banner
# Left out: it enters the machine of a pod that the scheduler placed, which may be any.
ANY_MACHINE = "a_killed_container_is_started_again"


@dataclass(frozen=True)
class Cut:
    """Commands that cut ssh and restore it, run over the kept connection, and the longest wait of a new connection."""

    name: str
    make: str
    mend: str
    seconds: float


CUTS = [
    Cut("refused", "systemctl stop ssh", "systemctl start ssh", seconds=5),
    Cut("silent", "kill -STOP $(cat /run/sshd.pid)", "kill -CONT $(cat /run/sshd.pid)", BANNER_SECONDS + 5),
]


def is_of(result: Result, machine: str) -> bool:
    """Whether the case is of that machine, alone or in a pair."""
    return result.node == machine or machine in result.check


@pytest.mark.parametrize("bundled", [paths.DEFAULT_SPEC], ids=["default"], indirect=True)
@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.name)
def test_an_unreachable_machine_is_an_error_of_its_own_checks(cut: Cut, kept: KeptCluster, whole: list[Result]) -> None:
    """Each of those checks names the machine, and waits only the first time; the others have their usual results."""
    with kept.broken([{"machine": MACHINE, "make": cut.make, "mend": cut.mend}]):
        judged = kept.judge(f"not coredns_spread and not {ANY_MACHINE}")
    errors = [result for result in judged if result.outcome == "error"]
    assert {result.name for result in judged} == {result.name for result in whole if result.check != ANY_MACHINE}
    assert red([result for result in judged if result not in errors]) == kept.throughout
    assert [result.name for result in errors if not is_of(result, MACHINE)] == []
    assert {result.message.partition(":")[0] for result in errors} == {f"{MACHINE} can't be entered over ssh"}
    assert {"swap_is_off", "kubelet_is_running", "peer_ports_are_open"} < red(errors)
    waited = sorted((result.seconds for result in errors), reverse=True)
    assert waited[0] < cut.seconds
    assert sum(waited[3:]) < cut.seconds, "each worker waits once"
