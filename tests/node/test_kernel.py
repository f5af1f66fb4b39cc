"""The kernel: its modules and settings let iptables see bridged traffic, and let a machine route for its pods."""

import pytest
from testinfra.host import Host

from kubeproof.checks import Spec


@pytest.mark.step("config.sh", "kernel-modules")
@pytest.mark.needs("machine.kernel_modules.br_netfilter")
def test_br_netfilter_is_loaded(machine: Host) -> None:
    """The kernel module br_netfilter is loaded, so that its sysctls exist."""
    assert machine.file("/proc/sys/net/bridge").is_directory


@pytest.mark.step("config.sh", "kernel-modules")
@pytest.mark.needs("machine.kernel_modules.overlay")
def test_overlay_is_loaded(machine: Host) -> None:
    """The kernel supports overlay, the file system that the runtime's snapshotter mounts."""
    assert "overlay" in machine.file("/proc/filesystems").content_string.split()


@pytest.mark.step("config.sh", "kernel-modules")
@pytest.mark.needs("machine.kernel_modules.br_netfilter")
def test_br_netfilter_is_persistent(machine: Host) -> None:
    """A file of modules-load.d(5) loads br_netfilter at the next boot, on its own line."""
    assert "br_netfilter" in machine.check_output("cat /etc/modules-load.d/*.conf").splitlines()


@pytest.mark.step("config.sh", "kernel-modules")
@pytest.mark.needs("machine.kernel_modules.overlay")
def test_overlay_is_persistent(machine: Host) -> None:
    """A file of modules-load.d(5) loads overlay at the next boot, on its own line."""
    assert "overlay" in machine.check_output("cat /etc/modules-load.d/*.conf").splitlines()


@pytest.mark.step("config.sh", "sysctls")
@pytest.mark.needs("machine.sysctls.net.bridge.bridge-nf-call-iptables")
def test_bridge_nf_call_iptables(machine: Host, spec: Spec) -> None:
    """Bridged IPv4 traffic passes iptables, so that the rules of Services apply to it."""
    key = "net.bridge.bridge-nf-call-iptables"
    assert machine.sysctl(key) == spec.machine.sysctls[key]


@pytest.mark.step("config.sh", "sysctls")
@pytest.mark.needs("machine.sysctls.net.bridge.bridge-nf-call-ip6tables")
def test_bridge_nf_call_ip6tables(machine: Host, spec: Spec) -> None:
    """Bridged IPv6 traffic passes ip6tables, so that the rules of Services apply to it."""
    key = "net.bridge.bridge-nf-call-ip6tables"
    assert machine.sysctl(key) == spec.machine.sysctls[key]


@pytest.mark.step("config.sh", "sysctls")
@pytest.mark.needs("machine.sysctls.net.ipv4.ip_forward")
def test_ip_forward(machine: Host, spec: Spec) -> None:
    """The machine forwards packets between its pods and other machines."""
    assert machine.sysctl("net.ipv4.ip_forward") == spec.machine.sysctls["net.ipv4.ip_forward"]


@pytest.mark.step("config.sh", "sysctls")
@pytest.mark.needs("machine.sysctls")
def test_sysctls_are_persistent(machine: Host, spec: Spec) -> None:
    """The files of sysctl.d(5), read in their order, set each key to the spec's value at the next boot."""
    lines = machine.check_output("/lib/systemd/systemd-sysctl --cat-config").splitlines()
    settings = [line.split("=") for line in lines if "=" in line and not line.startswith(("#", ";"))]
    persistent = {key.strip().lstrip("-").replace("/", "."): value.strip() for key, value in settings}
    assert {key: persistent.get(key) for key in spec.machine.sysctls} == {
        key: str(value) for key, value in spec.machine.sysctls.items()
    }
