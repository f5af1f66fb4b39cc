"""Provisioning: the log of its steps on each machine, and a folder that it must not share."""

import json

import pytest
from testinfra.host import Host

from kubeproof.checks import Node, scripts, stated


def announcements(machine: Host) -> list[dict[str, str | int]]:
    """The lines that the steps wrote to the machine's log, in their order."""
    return [json.loads(line) for line in machine.check_output("cat /var/log/provision.log").splitlines()]


@pytest.mark.step("step.sh", "announce")
@pytest.mark.needs("scripts", "nodes.role")
def test_every_script_announced_itself(machine: Host, node: Node) -> None:
    """The machine's log names the scripts of its role, in their order."""
    announced = dict.fromkeys(line["script"] for line in announcements(machine))
    assert [*announced] == [*scripts.EVERYWHERE, scripts.OF_ROLE[stated(node.role)]]


@pytest.mark.step("step.sh", "announce")
@pytest.mark.needs("scripts")
def test_every_step_ended_well(machine: Host) -> None:
    """Each step has a name, and ended with status 0 before the next step began."""
    log = [(line["step"], line["event"], line["status"]) for line in announcements(machine)]
    assert log == [(step, event, 0) for step, _, _ in log[::2] for event in ("start", "end") if step]


@pytest.mark.step("Vagrantfile", "synced_folder")
@pytest.mark.needs("scripts")
def test_hosts_folder_is_not_shared(machine: Host) -> None:
    """The Vagrantfile's folder, which contains the machines' keys, is not mounted in the machine."""
    assert machine.run("findmnt --noheadings --output TARGET /vagrant").stdout == ""
