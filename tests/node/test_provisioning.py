"""What the provisioning said of itself on the machine, and what it was not to leave there."""

import json

import pytest
from testinfra.host import Host

from kubeproof.checks import Node, stated

EVERYWHERE = ["config.sh", "install_pkg.sh"]
OF_A_ROLE = {"control-plane": "master_node.sh", "worker": "work_nodes.sh"}


def announced(machine: Host) -> list[dict[str, str | int]]:
    """What the steps have announced, in their order."""
    return [json.loads(line) for line in machine.check_output("cat /var/log/provision.log").splitlines()]


@pytest.mark.step("step.sh", "announce")
@pytest.mark.needs("scripts", "nodes.role")
def test_every_script_announced_itself(machine: Host, node: Node) -> None:
    """The machine's log has the scripts of its role, in their order."""
    scripts = dict.fromkeys(line["script"] for line in announced(machine))
    assert [*scripts] == [*EVERYWHERE, OF_A_ROLE[stated(node.role)]]


@pytest.mark.step("step.sh", "announce")
@pytest.mark.needs("scripts")
def test_every_step_ended_well(machine: Host) -> None:
    """Each step that began has a name, and ended before the next one began, with status 0."""
    log = [(line["step"], line["event"], line["status"]) for line in announced(machine)]
    assert log == [(step, event, 0) for step, _, _ in log[::2] for event in ("start", "end") if step]


@pytest.mark.step("Vagrantfile", "synced_folder")
@pytest.mark.needs("scripts")
def test_hosts_folder_is_not_shared(machine: Host) -> None:
    """The folder of the Vagrantfile, where its machines' keys are, is not in the machine."""
    assert machine.run("findmnt --noheadings --output TARGET /vagrant").stdout == ""
