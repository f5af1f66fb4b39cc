"""Lists what a run could change on this host, so that two listings can be compared."""

import re
import socket
import subprocess
from pathlib import Path

import platformdirs
import psutil

from kubeproof.lab.host import INOTIFY
from kubeproof.lab.state import LabState

SYSCTLS = Path("/proc/sys")
# Counters, and values that the kernel tunes by itself.
VOLATILE = re.compile(
    r"/proc/sys/(fs/(aio-nr|dentry-state|file-nr|inode-nr|inode-state|quota/.*)|"
    r"kernel/(ns_last_pid|perf_event_max_sample_rate|pty/nr|random/.*)|net/netfilter/nf_conntrack_count)"
)
PER_USER = Path("/proc/sys/user/max_inotify_instances")  # the same limit as INOTIFY, by its other name
CONTROL_GROUPS = Path("/sys/fs/cgroup")
COUNTERS = re.compile(r"\[\d+:\d+\]")


def listing(lab: str) -> dict[str, list[str]]:
    """Swap, sysctls, modules, clock, mounts, control groups, firewall rules and interfaces of the host.

    Mounts, which include network namespaces, and control groups are listed only if a lab of that name made them: others
    come and go.
    """
    return {
        "swap": _lines("/proc/swaps"),
        "sysctls": [f"{key}={_value(key, lab)}" for key in sorted(SYSCTLS.rglob("*")) if _is_setting(key)],
        "modules": sorted(line.split()[0] for line in _lines("/proc/modules")),
        # The time of the boot, which changes when the clock is set.
        "clock": [*[line for line in _lines("/proc/stat") if "btime" in line], f"{Path('/etc/localtime').resolve()}"],
        "mounts": [line.split(" ", 3)[3] for line in _lines("/proc/self/mountinfo") if _is_of(lab, line)],
        "control groups": sorted(str(path) for path in CONTROL_GROUPS.glob(f"**/{lab}")),
        "rules": [
            COUNTERS.sub("", line)
            for command in ("iptables-save", "ip6tables-save")
            for line in _output(command)
            if not line.startswith("#")
        ],
        "interfaces": sorted(psutil.net_if_addrs()),
    }


def listening(mark: str) -> set[tuple[str, int]]:
    """The (address, port) pairs on which processes with `mark` in their environment listen in the host's network.

    A socket whose process is unknown is included, too.
    """
    return {
        (link.laddr.ip, link.laddr.port)
        for link in psutil.net_connections("inet")
        if link.laddr
        and (link.status == psutil.CONN_LISTEN or (link.type == socket.SOCK_DGRAM and not link.raddr))
        and (link.pid is None or mark in _environment(link.pid))
    }


def processes(mark: str) -> list[str]:
    """The command lines of the processes with `mark` in their environment, which children inherit."""
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
    return key.is_file() and not VOLATILE.match(str(key))


def _value(key: Path, lab: str) -> str:
    """The value of a setting; if other labs raised it, the value that the last of them will restore."""
    states = Path(platformdirs.user_state_dir()).glob("kubeproof*/lab.json")
    others = [state for state in states if state.parent.name != lab]
    if key in (INOTIFY, PER_USER) and others:
        return str(LabState.model_validate_json(others[0].read_text()).inotify_instances)
    try:
        return key.read_text().strip()
    except OSError:
        return "unreadable"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _output(command: str) -> list[str]:
    return subprocess.run([command], capture_output=True, text=True, check=True).stdout.splitlines()
