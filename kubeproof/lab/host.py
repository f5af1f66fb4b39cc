"""The lab's footprint on its host: a network namespace, control groups and mounts."""

import os
from contextlib import suppress
from pathlib import Path

import psutil

from kubeproof.lab import state
from kubeproof.process import paths
from kubeproof.process.commands import CommandFailed, run
from kubeproof.spec import Spec, stated

# inotify(7): four machines with kubelet and containerd use most of the kernel's default of 128.
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_INSTANCES = 1024
KILL_SECONDS = 5
PORTS_BESIDE, LAST_PORT = 600, 65535  # trials of other machines take the ssh ports that follow the spec's


def network() -> Path:
    """The mount point of the lab's network namespace; `ip netns` would leave a mount of its own on the host."""
    return paths.state() / "network"


def inside(*command: str | Path) -> list[str]:
    """`command` with the prefix that runs it in the lab's network."""
    return ["nsenter", f"--net={network()}", *[str(word) for word in command]]


def make_network(spec: Spec) -> None:
    """Mount a network namespace with nothing but its loopback."""
    network().touch()
    run("unshare", f"--net={network()}", "true")
    run(*inside("ip", "link", "set", "lo", "up"))
    # Reserved, so that no outgoing connection takes a machine's ssh port as its source port before the machine starts.
    ports = [stated(node.ssh_port) for node in spec.nodes]
    reserved = f"{','.join(str(port) for port in ports)},{max(ports)}-{min(max(ports) + PORTS_BESIDE, LAST_PORT)}"
    run(*inside("sysctl", "-qw", f"net.ipv4.ip_local_reserved_ports={reserved}"))


def end_control_groups() -> None:
    """Kill what a machine left running (nothing, unless Docker itself was killed) and remove the lab's groups."""
    tops = [*Path("/sys/fs/cgroup").glob(f"*/{paths.lab()}"), Path("/sys/fs/cgroup", paths.lab())]
    for folder in [Path(name) for top in tops for name, _, _ in os.walk(top, topdown=False)]:
        with suppress(OSError):
            for pid in (folder / "cgroup.procs").read_text().split():
                with suppress(psutil.Error):
                    process = psutil.Process(int(pid))
                    process.kill()
                    process.wait(KILL_SECONDS)
        with suppress(OSError):
            folder.rmdir()


def unmount() -> None:
    """Unmount everything below the lab's folders."""
    folders = (f"{paths.state()}/", f"{state.docker_data()}/")
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in reversed([mount for mount in mounts if mount.startswith(folders)]):
        with suppress(CommandFailed):
            run("umount", "--lazy", mount)
