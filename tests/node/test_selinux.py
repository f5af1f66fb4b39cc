"""SELinux: permissive, as kubeadm's guide asks where its policies are not set up for containers."""

import pytest
from testinfra.host import Host

from kubeproof.checks import Spec


@pytest.mark.step("config.sh", "selinux-permissive")
@pytest.mark.needs("machine.selinux")
def test_selinux_is_permissive(machine: Host, spec: Spec) -> None:
    """The running mode is the spec's."""
    assert machine.check_output("getenforce").lower() == spec.machine.selinux


@pytest.mark.step("config.sh", "selinux-permissive")
@pytest.mark.needs("machine.selinux")
def test_selinux_stays_permissive(machine: Host, spec: Spec) -> None:
    """The mode after the next boot is the spec's."""
    modes = machine.check_output("sed -n 's/^SELINUX=//p' /etc/selinux/config")
    assert modes == spec.machine.selinux
