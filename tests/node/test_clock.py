"""Clocks: the validity of certificates and leases depends on them."""

from collections.abc import Callable

import pytest
from testinfra.host import Host

from kubeproof.checks import Spec


@pytest.mark.step("Vagrantfile", "image")
def test_clock_is_synchronised(machine: Host) -> None:
    """A time service synchronises the machine's clock."""
    assert machine.check_output("timedatectl show --property NTPSynchronized --value") == "yes"


@pytest.mark.step("Vagrantfile", "image")
@pytest.mark.needs("control_plane")
def test_clock_skew(machine: Host, spec: Spec, enter: Callable[[str], Host]) -> None:
    """The machine and the control plane agree on the time within a second."""
    control_plane = enter(spec.control_plane.name)
    before = float(control_plane.check_output("date +%s.%N"))
    measured = float(machine.check_output("date +%s.%N"))
    after = float(control_plane.check_output("date +%s.%N"))
    assert before - 1 < measured < after + 1
