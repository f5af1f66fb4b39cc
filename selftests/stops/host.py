"""What of a machine a run could change, listed so that two listings can be held against each other."""

import re
import socket
import subprocess
from pathlib import Path

import platformdirs
import psutil

from kubeproof.lab.host import INOTIFY
from kubeproof.lab.state import LabState

SYSCTLS = Path("/proc/sys")
# Not settings but counts, and what the kernel tunes by itself.
MOVING = re.compile(
    r"/proc/sys/(fs/(aio-nr|dentry-state|file-nr|inode-nr|inode-state|quota/.*)|"
    r"kernel/(ns_last_pid|perf_event_max_sample_rate|pty/nr|random/.*)|net/netfilter/nf_conntrack_count)"
)
OF_THE_USER = Path("/proc/sys/user/max_inotify_instances")  # INOTIFY under its other name
CONTROL_GROUPS = Path("/sys/fs/cgroup")
COUNTERS = re.compile(r"\[\d+:\d+\]")


def listing(lab: str) -> dict[str, list[str]]:
    """Swap, sysctls, modules, clock, mounts, control groups, firewall rules and interfaces of the host.

    Of mounts, a network namespace's among them, and of control groups those alone that a lab of that name makes: other
    people's come and go.
    """
    return {
        "swap": _lines("/proc/swaps"),
        "sysctls": [f"{key}={_value(key, lab)}" for key in sorted(SYSCTLS.rglob("*")) if _is_setting(key)],
        "modules": sorted(line.split()[0] for line in _lines("/proc/modules")),
        # When it says that the machine was booted: whoever sets the clock changes that.
        "clock": [*[line for line in _lines("/proc/stat") if "btime" in line], f"{Path('/etc/localtime').resolve()}"],
        "mounts": [line.split(" ", 3)[3] for line in _lines("/proc/self/mountinfo") if _is_of(lab, line)],
        "control groups": sorted(str(path) for path in CONTROL_GROUPS.glob(f"**/{lab}")),
        "rules": [
            COUNTERS.sub("", line)
            for command in ("iptables-save", "ip6tables-save")
            for line in _said(command)
            if not line.startswith("#")
        ],
        "interfaces": sorted(psutil.net_if_addrs()),
    }


def listening(mark: str) -> set[tuple[str, int]]:
    """Where processes whose environment had `mark` listen in the host's network, as (address, port).

    Of the others, those alone are left out that are known to be others.
    """
    return {
        (one.laddr.ip, one.laddr.port)
        for one in psutil.net_connections("inet")
        if one.laddr
        and (one.status == psutil.CONN_LISTEN or (one.type == socket.SOCK_DGRAM and not one.raddr))
        and (one.pid is None or mark in _environment(one.pid))
    }


def processes(mark: str) -> list[str]:
    """The processes, by their command lines, that descend from one whose environment had `mark`."""
    return [
        " ".join(process.cmdline())
        for process in psutil.process_iter()
        if process.pid != psutil.Process().pid and mark in _environment(process.pid)
    ]


def _environment(pid: int) -> dict[str, str]:
    try:
        return psutil.Process(pid).environ()
    except psutil.Error:
        return {}


def _is_of(lab: str, line: str) -> bool:
    return re.search(rf"/{lab}(/| )", line) is not None


def _is_setting(key: Path) -> bool:
    return key.is_file() and not MOVING.match(str(key))


def _value(key: Path, lab: str) -> str:
    """What a setting is; where other labs have raised it, what it will be when the last of them is gone."""
    others = [one for one in Path(platformdirs.user_state_dir()).glob("kubeproof*/lab.json") if one.parent.name != lab]
    if key in (INOTIFY, OF_THE_USER) and others:
        return str(LabState.model_validate_json(others[0].read_text()).inotify_instances)
    try:
        return key.read_text().strip()
    except OSError:
        return "not to be read"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _said(command: str) -> list[str]:
    return subprocess.run([command], capture_output=True, text=True, check=True).stdout.splitlines()
