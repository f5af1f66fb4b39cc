"""A machine rebooted: it comes back as it was provisioned, without provisioning.

The read-only checks, which look at the machine again after all experiments, prove the details.
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
    """The restarts of each system pod of the node, over all its containers."""
    return {
        pod.metadata.name: sum(container.restart_count for container in pod.status.container_statuses or [])
        for pod in experiment.api.system_pods(node.name)
    }


@pytest.fixture(scope="class")
def rebooted(experiment: Experiment) -> Iterator[str]:
    """The provider halts and starts the machine; the fixture is the boot id from before."""
    before, node = boot_id(experiment.host), experiment.node.name

    def is_mended() -> None:
        at_rest(experiment.api, node)
        experiment.takes_pods()

    with experiment.fault(
        "rebooted",
        make="true",
        mend="true",
        is_in=lambda: experiment.provider.reboot(node),
        is_mended=is_mended,
        heals=True,
        halts=True,
    ):
        yield before


class Reboot:
    """The checks of a reboot, of any machine."""

    def test_it_is_another_boot(self, experiment: Experiment, rebooted: str) -> None:
        """The machine has another boot id, so the other checks look at the new boot."""
        wait_for(
            "another boot id",
            lambda: boot_id(experiment.host),
            until=lambda current: current != rebooted,
            within=BOOT_SECONDS,
        )

    def test_its_containers_are_new(self, experiment: Experiment, rebooted: str, margin: float) -> None:
        """kubelet has restarted every system pod of the machine, so the API's view of them is up to date."""
        assert rebooted
        wait_for(
            "every system pod was started again",
            lambda: restart_counts(experiment, experiment.node),
            until=lambda counts: all(counts.values()),
            within=BOOT_SECONDS + margin,
        )

    def test_it_comes_to_rest(self, experiment: Experiment, rebooted: str) -> None:
        """The machine's node is Ready and untainted, and its system pods are Ready."""
        assert rebooted
        at_rest(experiment.api, experiment.node.name)


@pytest.mark.experiment(claims="a node", lasts=20)
@pytest.mark.needs("scripts")
class TestWorkerRebooted(Reboot):
    """A worker is rebooted."""


@pytest.mark.experiment(claims="the cluster", lasts=70)
@pytest.mark.needs("scripts")
class TestControlPlaneRebooted(Reboot):
    """The control plane is rebooted."""
