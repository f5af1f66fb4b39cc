"""Swap: it is off, because kubelet does not start on a machine with swap."""

import pytest
from testinfra.host import Host


@pytest.mark.step("config.sh", "swap-off")
def test_swap_is_off(machine: Host) -> None:
    """No swap area is in use."""
    assert machine.file("/proc/swaps").content_string.splitlines()[1:] == []


@pytest.mark.step("config.sh", "swap-stays-off")
def test_swap_stays_off(machine: Host) -> None:
    """No line of fstab turns swap on at the next boot."""
    assert machine.check_output("findmnt --fstab --types swap --noheadings --output SOURCE || true") == ""


@pytest.mark.step("config.sh", "swap-stays-off")
def test_swap_has_no_unit(machine: Host) -> None:
    """No systemd unit, such as zram's, turns swap on."""
    # list-unit-files finds the same units, but takes a second because it reads every one.
    folders = "$(systemctl show --property=UnitPath --value)"
    assert machine.run(f"find {folders} -maxdepth 1 -name '*.swap'").stdout == ""
