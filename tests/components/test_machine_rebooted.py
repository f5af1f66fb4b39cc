"""A machine rebooted: all that provisioning gave it is there again without provisioning.

What each check says of it is looked at again after all experiments.
"""

from collections.abc import Iterator

import pytest
from testinfra.host import Host

from kubeproof.checks import Experiment, Node, at_rest, wait_for

BOOT_SECONDS = 120


def boot_id(host: Host) -> str:
    """The kernel's id of this boot: random(4)."""
    return str(host.file("/proc/sys/kernel/random/boot_id").content_string)


def restart_counts(experiment: Experiment, node: Node) -> dict[str, int]:
    """How often the containers of the node's system pods were started again."""
    return {
        f"{pod.metadata.name}": sum(container.restart_count for container in pod.status.container_statuses or [])
        for pod in experiment.api.system_pods(node.name)
    }


@pytest.fixture(scope="class")
def rebooted(experiment: Experiment) -> Iterator[str]:
    """The boot id of before, of a machine that the provider has halted and started."""
    before, node = boot_id(experiment.host), experiment.node.name

    def mended() -> None:
        at_rest(experiment.api, node)
        experiment.takes_pods()

    with experiment.fault(
        "rebooted",
        make="true",
        mend="true",
        is_in=lambda: experiment.provider.reboot(node),
        is_mended=mended,
        heals=True,
        halts=True,
    ):
        yield before


class Reboot:
    """The facts of a reboot, of whichever machine."""

    def test_it_is_another_boot(self, experiment: Experiment, rebooted: str) -> None:
        """Nothing below is seen of the old one."""
        wait_for(
            "another boot id",
            lambda: boot_id(experiment.host),
            until=lambda seen: seen != rebooted,
            within=BOOT_SECONDS,
        )

    def test_its_containers_are_new(self, experiment: Experiment, rebooted: str, margin: float) -> None:
        """kubelet has started every system pod of the machine again: what the API says of them is no stale word."""
        assert rebooted
        wait_for(
            "every system pod was started again",
            lambda: restart_counts(experiment, experiment.node),
            until=lambda counts: all(counts.values()),
            within=BOOT_SECONDS + margin,
        )

    def test_it_comes_to_rest(self, experiment: Experiment, rebooted: str) -> None:
        """Ready, untainted, and its system pods Ready."""
        assert rebooted
        at_rest(experiment.api, experiment.node.name)


@pytest.mark.experiment(claims="a node", lasts=20)
@pytest.mark.needs("scripts")
class TestWorkerRebooted(Reboot):
    """A worker."""


@pytest.mark.experiment(claims="the cluster", lasts=70)
@pytest.mark.needs("scripts")
class TestControlPlaneRebooted(Reboot):
    """The control plane."""
