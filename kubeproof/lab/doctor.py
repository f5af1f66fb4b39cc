"""The needs of the embedded lab on this machine: each with the fact that was seen, and a remedy."""

import os
import platform
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Column, Table

from kubeproof.lab import LabFailed, box, debian, disk, downloads, go, sources, state, uplink
from kubeproof.lab.host import INOTIFY, INOTIFY_INSTANCES
from kubeproof.lab.registries import Registry, advice
from kubeproof.process import paths
from kubeproof.process.commands import CommandFailed, run, threads
from kubeproof.process.progress import Progress
from kubeproof.spec import Node, Spec, stated

HOST_PACKAGES = paths.RECIPES / "host_packages.txt"
INSTALLER = paths.RECIPES / "host_packages.sh"
HIDDEN = "/usr/local/sbin:/usr/sbin:/sbin"  # Debian puts these folders on root's PATH alone
# Vagrant: the oldest version that was seen to work. Docker: private cgroup namespaces. containerd: version 2 of its
# configuration.
OLDEST = {"vagrant": (2, 3), "dockerd": (20, 10), "containerd": (1, 4)}
VERSION_SECONDS = 20
# capabilities(7), by number: they allow to make networks, mounts and device nodes for the machines.
CAPABILITIES = {"NET_ADMIN": 12, "SYS_ADMIN": 21, "MKNOD": 27}
CONTROLLERS_V1 = ("cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids")
CONTROLLERS_V2 = ("cpu", "cpuset", "memory", "pids")
# Measured: 1.8 GB for four idle machines; the rest is for the lab's daemons and the checks.
OWN_MB, NODE_MB = 700, 450
MB = 1 << 20


@dataclass(frozen=True)
class Finding:
    """One need, the fact that was seen, and the remedy if the need is not met."""

    need: str
    seen: str
    is_met: bool = True
    remedy: str = ""


Look = Callable[[Spec], Iterator[Finding]]


def examine(spec: Spec) -> list[Finding]:
    """Every need of the lab of `spec`, met or not.

    This takes less than a second, unless there are parts to build: then their registries are asked.
    """
    looks: list[Look] = [
        *(_system, _privileges, _programs, _toolchain, _cgroups, _devices, _processors),
        *(_memory, _instances, lambda spec: map(_port, spec.nodes), _folders, _disks, _registries, _releases),
    ]
    with uplink.of(spec.lab), threads(len(looks)) as pool:
        findings = [finding for group in pool.map(lambda look: _findings(look, spec), looks) for finding in group]
    return list(dict.fromkeys(findings))  # several looks can meet the same unreadable folder


def _findings(look: Look, spec: Spec) -> list[Finding]:
    try:
        return list(look(spec))
    except OSError as error:
        return [Finding("access to this machine's files", f"{error}", False, "Run it as root, with root's HOME")]


def refuse_bad_machine(spec: Spec, progress: Progress) -> None:
    """Raise LabFailed if this machine does not meet every need of the lab of `spec`; the message lists each."""
    with progress.task("looking at this machine"):
        unmet = [finding for finding in examine(spec) if not finding.is_met]
    if unmet:
        lines = "\n".join(f"- {finding.need}: {finding.seen}. {finding.remedy}" for finding in unmet)
        raise LabFailed(f"this machine can't run the lab yet (`kubeproof doctor` shows the whole list):\n{lines}")


def show(findings: list[Finding], console: Console) -> None:
    """Print the findings as a table."""
    table = Table(*[Column(name, overflow="fold") for name in ("", "needed", "seen", "what to do")], show_lines=True)
    for finding in findings:
        table.add_row(
            "✔" if finding.is_met else "✘", finding.need, finding.seen, "" if finding.is_met else finding.remedy
        )
    console.print(table)
    unmet = sum(not finding.is_met for finding in findings)
    console.print(f"{unmet} of {len(findings)} needs are not met" if unmet else "this machine can run the lab")


def _system(_: Spec) -> Iterator[Finding]:
    need, seen = "Linux on x86_64", f"{platform.system()} on {platform.machine()}"
    yield Finding(need, seen, seen == need, "Run it on such a machine: the cluster's programs are built for it")
    yield Finding("Python 3.11 or newer", f"{platform.python_version()} ({sys.executable})")


def _privileges(_: Spec) -> Iterator[Finding]:
    is_root = not os.geteuid()
    remedy = "Run it as root: it starts a Docker daemon and makes networks and mounts"
    yield Finding("root", f"user id {os.geteuid()}", is_root, remedy)
    status = Path("/proc/self/status").read_text()
    held = int(re.search(r"^CapEff:\s*(\w+)", status, re.MULTILINE)[1], 16)  # type: ignore[index] # proc(5) has it
    lacking = [name for name, bit in CAPABILITIES.items() if not held >> bit & 1]
    if is_root:
        remedy = "Run it outside this container, or run the container privileged"
        yield Finding("root's capabilities", _without(lacking), not lacking, remedy)


def _without(lacking: list[str]) -> str:
    return f"without {', '.join(lacking)}" if lacking else "present"


def _programs(spec: Spec) -> Iterator[Finding]:
    purposes = ("run", "build") if box.missing(spec) else ("run",)
    lines = [line.split() for line in HOST_PACKAGES.read_text().splitlines() if line and not line.startswith("#")]
    wanted = {program: package for program, package, purpose in lines if purpose in purposes}
    found = []
    for program, package in wanted.items():
        if not (Path(program).exists() or shutil.which(program)):
            yield _absent(program, package)
        elif program in OLDEST:
            yield _version(program)
        else:
            found.append(program)
    yield Finding(", ".join(found), "installed")


def _absent(program: str, package: str) -> Finding:
    hidden = shutil.which(program, path=HIDDEN)
    if hidden:
        return Finding(program, f"{hidden}, not on PATH", False, f"Add {Path(hidden).parent} to PATH")
    return Finding(program, "not installed", False, f"Install it: on Debian, run `{INSTALLER}` (package {package})")


def _version(program: str) -> Finding:
    found, oldest = shutil.which(program) or program, ".".join(map(str, OLDEST[program]))
    need = f"{program} {oldest} or newer"
    try:
        output = run(found, "--version", timeout=VERSION_SECONDS).strip()
    except CommandFailed as error:
        return Finding(need, f"{error}", False, "Find out why it can't be run, or reinstall it")
    numbers = re.search(r"(\d+)\.(\d+)[\w.+~-]*", output)
    if not numbers:
        seen = f"{found}; its --version prints {output!r}"
        return Finding(need, seen, False, "Install one that prints its version")
    is_new = (int(numbers[1]), int(numbers[2])) >= OLDEST[program]
    return Finding(need, f"{found}, {numbers[0]}", is_new, "Install a newer one")


def _toolchain(spec: Spec) -> Iterator[Finding]:
    if box.missing(spec):
        found = go.on_path() or f"none; {go.FALLBACK} will be taken from the Python package index"
        yield Finding(f"Go {'.'.join(map(str, go.NEEDED))} or newer", f"{found}")


def _cgroups(_: Spec) -> Iterator[Finding]:
    top = Path("/sys/fs/cgroup")
    unified = top / "cgroup.controllers"
    if unified.exists():
        writable = unified.read_text().split() if os.access(top, os.W_OK) else []
        need, lacking = "cgroup v2, writable", [name for name in CONTROLLERS_V2 if name not in writable]
    else:
        need = "cgroups, writable"
        lacking = [name for name in CONTROLLERS_V1 if not os.access(top / name / "cgroup.procs", os.W_OK)]
    remedy = "Mount them writable at /sys/fs/cgroup: in a container, run it privileged"
    yield Finding(need, _without(lacking), not lacking, remedy)


def _devices(_: Spec) -> Iterator[Finding]:
    kmsg = Path("/dev/kmsg")
    remedy = f"Run `mknod {kmsg} c 1 11`, or pass the device to this container"
    yield Finding(f"{kmsg}, which kubelet reads", "present" if kmsg.exists() else "absent", kmsg.exists(), remedy)


def _processors(spec: Spec) -> Iterator[Finding]:
    largest = max(spec.nodes, key=lambda node: stated(node.cpus))
    usable = len(os.sched_getaffinity(0))
    remedy = f"Give {largest.name} fewer in the spec, or use a larger machine"
    # Docker refuses a machine with more processors than it may use itself.
    is_enough = usable >= stated(largest.cpus)
    yield Finding(f"{largest.cpus} processors, as {largest.name} has", f"{usable}", is_enough, remedy)


def _memory(spec: Spec) -> Iterator[Finding]:
    wanted = OWN_MB + NODE_MB * len(spec.nodes)
    need = f"{disk.gigabytes(wanted)} of memory for {len(spec.nodes)} machines"
    if _running_lab():
        yield Finding(need, "in use by the lab, which is up")
        return
    free = (psutil.virtual_memory().available + psutil.swap_memory().free) // MB
    remedy = "End other programs, or use a spec with fewer nodes"
    yield Finding(need, f"{disk.gigabytes(free)} available, with swap", free >= wanted, remedy)


def _instances(_: Spec) -> Iterator[Finding]:
    limit, can = int(INOTIFY.read_text()), os.access(INOTIFY, os.W_OK)
    is_enough = limit >= INOTIFY_INSTANCES
    seen = f"{limit}; the lab raises it while it runs" if can and not is_enough else f"{limit}"
    remedy = f"Run `sysctl fs.inotify.max_user_instances={INOTIFY_INSTANCES}` on the host, as root"
    yield Finding(f"{INOTIFY_INSTANCES} inotify instances", seen, is_enough or can, remedy)


def _port(node: Node) -> Finding:
    need = f"port {node.ssh_port} on 127.0.0.1, {node.name}'s"
    try:
        socket.create_server(("127.0.0.1", node.ssh_port)).close()
    except OSError as error:
        owner, lab = _owner(stated(node.ssh_port)), _running_lab()
        if owner and lab and owner.pid in [process.pid for process in lab.processes]:
            return Finding(need, "in use by the lab, which is up")
        user = f"used by process {owner.pid} ({owner.name()})" if owner else f"{error.strerror}, by an unknown process"
        return Finding(need, user, False, "End the program that uses it, or change the spec")
    return Finding(need, "free")


def _owner(port: int) -> psutil.Process | None:
    """The process that listens on `port`; None if this user may not see it."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and (connection.laddr.port, connection.status) == (port, psutil.CONN_LISTEN):
                return psutil.Process(connection.pid) if connection.pid else None
    except psutil.Error:
        pass  # it may have ended meanwhile
    return None


def _running_lab() -> state.LabState | None:
    """The lab, if each of its processes runs."""
    lab = state.running()
    return lab if lab and all(process.is_running() for process in lab.processes) else None


def _folders(_: Spec) -> Iterator[Finding]:
    for name, folder in (("cache", paths.cache()), ("state", paths.state())):
        existing = disk.nearest(folder)
        can = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
        remedy = f"Set XDG_{name.upper()}_HOME to a folder that can be written"
        yield Finding(f"a folder for its {name}", f"{folder}" if can else f"{existing} can't be written", can, remedy)


def _disks(spec: Spec) -> Iterator[Finding]:
    if not _running_lab():
        for written in disk.disks(spec):
            need = f"room for {', '.join(written.needs)}"
            yield Finding(need, written.summary(), written.is_enough, disk.REMEDY)


def _registries(spec: Spec) -> Iterator[Finding]:
    if not box.missing(spec):
        yield Finding("registries", "not needed: every part of the box is built")
        return
    wanted = []
    if go.on_path():
        wanted.append((go.PROXY, "build the cluster's programs"))
    elif not go.fallback().folder.exists():
        wanted.append((go.INDEX, "fetch a Go toolchain"))
    if not all(part.folder.exists() for part in box.systems(spec)):
        wanted.append((debian.ARCHIVE, "make the machines' systems"))
    with threads(len(wanted) or 1) as pool:
        yield from pool.map(lambda want: _registry(*want), wanted)


def _registry(registry: Registry, purpose: str) -> Finding:
    complaint = registry.complaint()
    return Finding(f"{registry.name}, to {purpose}", complaint or "answers", not complaint, advice())


def _releases(spec: Spec) -> Iterator[Finding]:
    missing = {part.name for part in box.missing(spec)}
    wanted = [
        (name, version)
        for name, version in sources.versions(spec).items()
        if name in downloads.RELEASES and sources.programs(spec.lab, name, version).name in missing
    ]
    if spec.lab.source == "release" and wanted:
        complaint = downloads.complaint(*wanted[0], spec.lab.mirror)
        remedy = f"{advice()} Or set `lab.source` in the spec to auto or modules"
        yield Finding("releases to download, which the spec asks for", complaint or "available", not complaint, remedy)
