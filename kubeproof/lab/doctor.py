"""What this machine must have for the embedded lab: each need with what was seen and what to do about it."""

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

from kubeproof.lab import LabFailed, box, daemon, debian, disk, downloads, go, sources, uplink
from kubeproof.lab.processes import Process
from kubeproof.lab.registries import Registry, advice
from kubeproof.process import paths
from kubeproof.process.commands import CommandFailed, run, threads
from kubeproof.process.progress import Progress
from kubeproof.spec import Node, Spec, stated

HOST_PACKAGES = paths.RECIPES / "host_packages.txt"
INSTALLER = paths.RECIPES / "host_packages.sh"
HIDDEN = "/usr/local/sbin:/usr/sbin:/sbin"  # folders that Debian keeps from the PATH of anyone but root
# The oldest that can do what is asked of them: Vagrant's as the oldest that was seen to work, Docker's for private
# cgroup namespaces, containerd's for the second version of its configuration.
OLDEST = {"vagrant": (2, 3), "dockerd": (20, 10), "containerd": (1, 4)}
VERSION_SECONDS = 20
# capabilities(7), by number: what making networks, mounts and device nodes for the machines takes.
CAPABILITIES = {"NET_ADMIN": 12, "SYS_ADMIN": 21, "MKNOD": 27}
CONTROLLERS_V1 = ("cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids")
CONTROLLERS_V2 = ("cpu", "cpuset", "memory", "pids")
# Measured: 1.8 GB for four machines at rest; the rest is for the lab's daemons and the judging.
OWN_MB, NODE_MB = 700, 450
MB = 1 << 20


@dataclass(frozen=True)
class Finding:
    """One need: what was seen, and what to do if it is not met."""

    need: str
    seen: str
    remedy: str = ""

    @property
    def is_met(self) -> bool:
        """Whether a run can go on."""
        return not self.remedy


Look = Callable[[Spec], Iterator[Finding]]


def examine(spec: Spec) -> list[Finding]:
    """Everything that the lab of `spec` needs of this machine, met or not.

    It takes less than a second, unless there are parts to build: then their registries are asked.
    """
    looks: list[Look] = [
        *(_system, _privileges, _programs, _toolchain, _cgroups, _devices, _processors),
        *(_memory, _instances, _ports, _folders, _disks, _registries, _releases),
    ]
    with uplink.of(spec.lab), threads(len(looks)) as pool:
        found = [finding for some in pool.map(lambda look: _seen(look, spec), looks) for finding in some]
    return list(dict.fromkeys(found))  # what may not be looked into is met by more than one


def _seen(look: Look, spec: Spec) -> list[Finding]:
    try:
        return list(look(spec))
    except OSError as error:
        return [Finding("to look at this machine", f"{error}", "Run it as root, with a HOME that is root's")]


def refuse_bad_machine(spec: Spec, progress: Progress) -> None:
    """Raise LabFailed with every need of `spec` that this machine does not meet, if there is any."""
    with progress.task("looking at this machine"):
        unmet = [finding for finding in examine(spec) if not finding.is_met]
    if unmet:
        lines = "\n".join(f"- {one.need}: {one.seen}. {one.remedy}" for one in unmet)
        raise LabFailed(f"this machine can't run the lab yet (`kubeproof doctor` shows the whole list):\n{lines}")


def show(findings: list[Finding], console: Console) -> None:
    """Print the list as a table."""
    table = Table(*[Column(name, overflow="fold") for name in ("", "needed", "seen", "what to do")], show_lines=True)
    for one in findings:
        table.add_row("✔" if one.is_met else "✘", one.need, one.seen, one.remedy)
    console.print(table)
    unmet = sum(not one.is_met for one in findings)
    console.print(f"{unmet} of {len(findings)} needs are not met" if unmet else "this machine can run the lab")


def _system(_: Spec) -> Iterator[Finding]:
    seen = f"{platform.system()} on {platform.machine()}"
    remedy = "" if seen == "Linux on x86_64" else "Run it on such a machine: what the machines run is built for it"
    yield Finding("Linux on x86_64", seen, remedy)
    yield Finding("Python 3.11 or newer", f"{platform.python_version()} ({sys.executable})")


def _privileges(_: Spec) -> Iterator[Finding]:
    remedy = "Run it as root: a Docker daemon, networks and mounts are made" if os.geteuid() else ""
    yield Finding("root", f"user id {os.geteuid()}", remedy)
    status = Path("/proc/self/status").read_text()
    held = int(re.search(r"^CapEff:\s*(\w+)", status, re.MULTILINE)[1], 16)  # type: ignore[index] # proc(5) has it
    lacking = [name for name, bit in CAPABILITIES.items() if not held >> bit & 1]
    if not os.geteuid():
        remedy = "Run it outside the container that takes them away, or let it be privileged" if lacking else ""
        yield Finding("root's capabilities", f"without {', '.join(lacking)}" if lacking else "held", remedy)


def _programs(spec: Spec) -> Iterator[Finding]:
    purposes = ("run", "build") if box.missing(spec) else ("run",)
    lines = [line.split() for line in HOST_PACKAGES.read_text().splitlines() if line and not line.startswith("#")]
    wanted = {program: package for program, package, purpose in lines if purpose in purposes}
    there = []
    for program, package in wanted.items():
        if not (Path(program).exists() or shutil.which(program)):
            yield _absent(program, package)
        elif program in OLDEST:
            yield _version(program)
        else:
            there.append(program)
    yield Finding(", ".join(there), "there")


def _absent(program: str, package: str) -> Finding:
    hidden = shutil.which(program, path=HIDDEN)
    if hidden:
        return Finding(program, f"{hidden}, not on PATH", f"Add {Path(hidden).parent} to PATH")
    return Finding(program, "not there", f"Install it: `{INSTALLER}` does that on Debian (package {package})")


def _version(program: str) -> Finding:
    found, oldest = shutil.which(program) or program, ".".join(map(str, OLDEST[program]))
    need = f"{program} {oldest} or newer"
    try:
        said = run(found, "--version", timeout=VERSION_SECONDS).strip()
    except CommandFailed as error:
        return Finding(need, f"{error}", "See why it can't be run, or install it anew")
    numbers = re.search(r"(\d+)\.(\d+)[\w.+~-]*", said)
    if not numbers:
        return Finding(need, f"{found}, which calls itself {said!r}", "Install one that tells its version")
    is_old = (int(numbers[1]), int(numbers[2])) < OLDEST[program]
    return Finding(need, f"{found}, {numbers[0]}", "Install a newer one" if is_old else "")


def _toolchain(spec: Spec) -> Iterator[Finding]:
    if not box.missing(spec):
        return
    wanted = ".".join(map(str, go.NEEDED))
    there = go.of_the_machine()
    yield Finding(
        f"Go {wanted} or newer", f"{there}" if there else f"none; {go.FALLBACK} is taken from the Python package index"
    )


def _cgroups(_: Spec) -> Iterator[Finding]:
    top = Path("/sys/fs/cgroup")
    unified = top / "cgroup.controllers"
    if unified.exists():
        there = unified.read_text().split() if os.access(top, os.W_OK) else []
        need, lacking = "cgroup v2, writable", [name for name in CONTROLLERS_V2 if name not in there]
    else:
        need = "cgroups, writable"
        lacking = [name for name in CONTROLLERS_V1 if not os.access(top / name / "cgroup.procs", os.W_OK)]
    remedy = "Mount them writable at /sys/fs/cgroup: in a container, run it privileged" if lacking else ""
    yield Finding(need, f"without {', '.join(lacking)}" if lacking else "there", remedy)


def _devices(_: Spec) -> Iterator[Finding]:
    kmsg = Path("/dev/kmsg")
    there = kmsg.exists()
    yield Finding(
        f"{kmsg}, which kubelet reads",
        "there" if there else "not there",
        "" if there else f"Run `mknod {kmsg} c 1 11`, or give it to the container that this is",
    )


def _processors(spec: Spec) -> Iterator[Finding]:
    largest = max(spec.nodes, key=lambda node: stated(node.cpus))
    there = len(os.sched_getaffinity(0))
    remedy = f"Give {largest.name} fewer in the spec, or take a larger machine" if there < stated(largest.cpus) else ""
    # Docker refuses a machine with more than it may use itself.
    yield Finding(f"{largest.cpus} processors, as {largest.name} has", f"{there}", remedy)


def _memory(spec: Spec) -> Iterator[Finding]:
    wanted = OWN_MB + NODE_MB * len(spec.nodes)
    need = f"{disk.gigabytes(wanted)} of memory for {len(spec.nodes)} machines"
    if _lab_is_up():
        yield Finding(need, "the lab is up and has it")
        return
    free = (psutil.virtual_memory().available + psutil.swap_memory().free) // MB
    remedy = "End what uses it, or give the spec fewer nodes" if free < wanted else ""
    yield Finding(need, f"{disk.gigabytes(free)} available, with swap", remedy)


def _instances(_: Spec) -> Iterator[Finding]:
    limit = int(daemon.INOTIFY.read_text())
    can = limit >= daemon.INOTIFY_INSTANCES or os.access(daemon.INOTIFY, os.W_OK)
    yield Finding(
        f"{daemon.INOTIFY_INSTANCES} inotify instances",
        f"{limit}" + ("; the lab raises it while it runs" if can and limit < daemon.INOTIFY_INSTANCES else ""),
        "" if can else f"Run `sysctl fs.inotify.max_user_instances={daemon.INOTIFY_INSTANCES}` on the host, as root",
    )


def _ports(spec: Spec) -> Iterator[Finding]:
    for node in spec.nodes:
        yield _port(node)


def _port(node: Node) -> Finding:
    need = f"port {node.ssh_port} on 127.0.0.1, {node.name}'s"
    try:
        socket.create_server(("127.0.0.1", node.ssh_port)).close()
    except OSError as error:
        owner = _owner(stated(node.ssh_port))
        if owner and _lab_is_up() and owner.pid in [process.pid for process in _lab_processes()]:
            return Finding(need, "the lab's own, which is up")
        used = f"used by process {owner.pid} ({owner.name()})" if owner else f"{error.strerror}, nobody knows by whom"
        return Finding(need, used, "End what uses it, or change the spec")
    return Finding(need, "free")


def _owner(port: int) -> psutil.Process | None:
    """The process that listens there, as far as this user may know."""
    try:
        listening = [one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
        pids = [one.pid for one in listening if one.laddr and one.laddr.port == port and one.pid]
        return psutil.Process(pids[0]) if pids else None
    except psutil.Error:
        return None


def _lab_processes() -> list[Process]:
    lab = daemon.running()
    return lab.processes if lab else []


def _lab_is_up() -> bool:
    lab = daemon.running()
    return lab is not None and all(process.is_running() for process in lab.processes)


def _folders(_: Spec) -> Iterator[Finding]:
    for what, folder, variable in (
        ("cache", paths.cache(), "XDG_CACHE_HOME"),
        ("state", paths.state(), "XDG_STATE_HOME"),
    ):
        there = disk.nearest(folder)
        can = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
        yield Finding(
            f"a folder for its {what}",
            f"{folder}" if can else f"{there} can't be written",
            "" if can else f"Let {variable} name a folder that can be written",
        )


def _disks(spec: Spec) -> Iterator[Finding]:
    if _lab_is_up():
        return
    for one in disk.disks(spec):
        remedy = "" if one.is_enough else disk.REMEDY
        yield Finding(f"room for {', '.join(one.wanted)}", one.told(), remedy)


def _registries(spec: Spec) -> Iterator[Finding]:
    if not box.missing(spec):
        yield Finding("registries", "not needed: every part of the box is built")
        return
    wanted = {
        "build the cluster's programs": go.PROXY if go.of_the_machine() else None,
        "fetch a Go toolchain": None if go.of_the_machine() or go.fallback().folder.exists() else go.INDEX,
        "make the machines' systems": None
        if all(part.folder.exists() for part in box.systems(spec))
        else debian.ARCHIVE,
    }
    asked = [(registry, purpose) for purpose, registry in wanted.items() if registry]
    with threads(len(asked) or 1) as pool:
        yield from pool.map(lambda one: _registry(*one), asked)


def _releases(spec: Spec) -> Iterator[Finding]:
    missing = {part.name for part in box.missing(spec)}
    wanted = [
        (name, version)
        for name, version in sources.versions(spec).items()
        if name in downloads.RELEASES and sources.programs(spec.lab, name, version).name in missing
    ]
    if spec.lab.source == "release" and wanted:
        complaint = downloads.complaint(*wanted[0], spec.lab.mirror)
        remedy = f"{advice()} Or let `lab.source` in the spec be auto or modules" if complaint else ""
        yield Finding("releases to download, which the spec asks for", complaint or "answered for", remedy)


def _registry(registry: Registry, purpose: str) -> Finding:
    complaint = registry.complaint()
    return Finding(f"{registry.name}, to {purpose}", complaint or "answers", advice() if complaint else "")
