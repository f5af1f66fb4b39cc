"""The alias, scripts and kubeconfig that provisioning leaves for the administrator."""

import pytest
from testinfra.host import Host

from kubeproof.checks import Spec


@pytest.mark.step("config.sh", "vi-alias")
@pytest.mark.needs("machine.shell_alias")
def test_vi_alias(machine: Host, spec: Spec) -> None:
    """The profile contains the shell alias exactly once."""
    lines = machine.file("/etc/profile").content_string.splitlines()
    assert lines.count(spec.machine.shell_alias) == 1


@pytest.mark.step("install_pkg.sh", "admin-scripts")
@pytest.mark.needs("machine.admin_scripts")
def test_admin_scripts_are_there(control_plane: Host, spec: Spec) -> None:
    """The administrator's scripts are in root's home on the control plane."""
    assert control_plane.check_output(f"find /root/{spec.machine.admin_scripts} -name '*.sh'") != ""


@pytest.mark.step("install_pkg.sh", "admin-scripts")
@pytest.mark.needs("machine.admin_scripts")
def test_admin_scripts_are_private(control_plane: Host, spec: Spec) -> None:
    """Only root can read or run the administrator's scripts: their mode is 700."""
    modes = control_plane.check_output(f"find /root/{spec.machine.admin_scripts} -name '*.sh' -printf '%m\\n'")
    assert set(modes.split()) == {"700"}


@pytest.mark.step("master_node.sh", "kubeconfig")
@pytest.mark.needs("components.kubeadm")
def test_kubeconfig_is_there(control_plane: Host) -> None:
    """The kubeconfig in root's home on the control plane is the administrator's."""
    assert control_plane.run("cmp /root/.kube/config /etc/kubernetes/admin.conf").rc == 0


@pytest.mark.step("master_node.sh", "kubeconfig")
@pytest.mark.parametrize(
    "path", ["/etc/kubernetes/admin.conf", "/etc/kubernetes/super-admin.conf", "/root/.kube/config"]
)
@pytest.mark.needs("components.kubeadm")
def test_kubeconfig_is_private(control_plane: Host, path: str) -> None:
    """Only root can read an administrator's kubeconfig."""
    file = control_plane.file(path)
    assert (oct(file.mode), file.user) == (oct(0o600), "root")
