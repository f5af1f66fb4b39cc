"""SELinux: permissive, as kubeadm's guide requires where no policies for containers are set up."""

import pytest
from testinfra.host import Host

from kubeproof.checks import Spec


@pytest.mark.step("config.sh", "selinux-permissive")
@pytest.mark.needs("machine.selinux")
def test_selinux_is_permissive(machine: Host, spec: Spec) -> None:
    """SELinux runs in the spec's mode."""
    assert machine.check_output("getenforce").lower() == spec.machine.selinux


@pytest.mark.step("config.sh", "selinux-permissive")
@pytest.mark.needs("machine.selinux")
def test_selinux_stays_permissive(machine: Host, spec: Spec) -> None:
    """SELinux starts in the spec's mode at the next boot."""
    modes = machine.check_output("sed -n 's/^SELINUX=//p' /etc/selinux/config")
    assert modes == spec.machine.selinux
