"""What of a machine a run could change, listed so that two listings can be held against each other."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil

# What a lab, its daemon, kubelet or kube-proxy could set, and what a provisioning script sets on its machine.
SYSCTLS = ["fs/inotify", "kernel/panic", "kernel/panic_on_oops", "kernel/keys", "vm", "net/bridge", "net/ipv4"]
CONTROL_GROUPS = Path("/sys/fs/cgroup")


def listing(lab: str) -> dict[str, list[str]]:
    """Swap, sysctls, modules, mounts, namespaces, control groups, rules, listening ports and interfaces of the host.

    Of mounts, control groups and listening ports those alone that a lab of that name, or any process outside
    loopback, could have made: other people's come and go.
    """
    return {
        "swap": _lines("/proc/swaps"),
        "sysctls": [f"{key}={_read(key)}" for top in SYSCTLS for key in _keys(Path("/proc/sys", top))],
        "modules": [line.split()[0] for line in _lines("/proc/modules")],
        "mounts": [line for line in _lines("/proc/self/mountinfo") if lab in line],
        "network namespaces": sorted(path.name for path in Path("/run/netns").glob("*") if lab in path.name),
        "control groups": sorted(str(path) for path in CONTROL_GROUPS.glob(f"**/{lab}")),
        "rules": [line for line in _said("iptables-save") if not line.startswith(("#", ":"))],
        "interfaces": sorted(psutil.net_if_addrs()),
        "listening beyond loopback": sorted(
            f"{one.laddr.ip}:{one.laddr.port}"
            for one in psutil.net_connections("inet")
            if one.laddr and one.status == psutil.CONN_LISTEN and one.laddr.ip not in ("127.0.0.1", "::1")
        ),
    }


def processes(mark: str) -> list[str]:
    """The processes, by their command lines, that descend from one whose environment had `mark`."""
    return [
        " ".join(process.cmdline())
        for process in psutil.process_iter()
        if process.pid != psutil.Process().pid and mark in _environment(process)
    ]


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


def _keys(top: Path) -> list[Path]:
    return sorted(path for path in ([top] if top.is_file() else top.rglob("*")) if path.is_file())


def _read(key: Path) -> str:
    try:
        return key.read_text().strip()
    except OSError:
        return "not to be read"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _said(command: str) -> list[str]:
    return subprocess.run([command], capture_output=True, text=True, check=True).stdout.splitlines()
