"""A Docker daemon in a network namespace without an uplink, for the lab alone.

The nodes' networks exist only inside that namespace: no clash with the host's own, no traffic to the outside.
"""

import fcntl
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Interface
from pathlib import Path

import psutil
from pydantic import BaseModel

from kubeproof.lab import LabFailed, box, go, processes, sources
from kubeproof.lab.cache import provide
from kubeproof.lab.processes import Process
from kubeproof.process import paths
from kubeproof.process.commands import LAST_LINES, CommandFailed, run
from kubeproof.process.progress import Progress
from kubeproof.process.waiting import NotInTime, wait_for
from kubeproof.spec import Spec, SpecError, stated

# As VirtualBox numbers its NAT interface: the address that kubelet takes if nobody tells it better.
NAT_BRIDGE = "10.0.2.1/24"
NODE_BRIDGE = "kp-nodes"
START_SECONDS = 60
PORTS_BESIDE, LAST_PORT = 600, 65535  # for the machines that are tried beside the spec's own: their ssh ports come next
# inotify(7): four machines with kubelet and containerd use most of the kernel's default of 128.
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_INSTANCES = 1024
# capabilities(7), beside those that each container has: all but CAP_SYS_RESOURCE, which a lab in a container may not
# have itself. --privileged and ALL ask for it, and Docker 29 refuses to drop what is not there. BPF, PERFMON and
# CHECKPOINT_RESTORE are not known to Docker 20.10; they are parts of SYS_ADMIN, which serves in their place.
CAPABILITIES = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "BLOCK_SUSPEND",
    "DAC_READ_SEARCH",
    "IPC_LOCK",
    "IPC_OWNER",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "NET_ADMIN",
    "NET_BROADCAST",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
]
# What a machine needs of its container.
RUN_ARGUMENTS = [
    *[f"--cap-add={name}" for name in CAPABILITIES],
    f"--security-opt=seccomp={paths.RECIPES / 'box' / 'seccomp.json'}",
    "--security-opt=systempaths=unconfined",
    "--cgroupns=private",
    "--device-cgroup-rule=a *:* rwm",
    "--device=/dev/kmsg",
    "--tmpfs=/run",
    "--tmpfs=/tmp:exec",
]


class LabState(BaseModel):
    """What runs, and how to reach it; kept as lab.json from the first process on, so that anyone can end it."""

    docker_host: str
    ssh_key: Path
    run_arguments: list[str]
    api_port: int
    image: str = ""
    bundle: Path = Path()
    processes: list[Process] = []
    inotify_instances: int  # what the host had before there was any lab

    @property
    def docker(self) -> dict[str, str]:
        """The environment in which a docker client finds the lab's daemon."""
        return {"DOCKER_HOST": self.docker_host, "DOCKER_BUILDKIT": "0"}

    def save(self) -> None:
        """Write lab.json."""
        paths.write_whole(_file(), self.model_dump_json(indent=1))


def _data() -> Path:
    """Where the daemon keeps the box: in the cache, since it can be made again."""
    return paths.cache() / "docker" / paths.lab()


def _file() -> Path:
    return paths.state() / "lab.json"


def running() -> LabState | None:
    """The lab that was started and not yet stopped, whoever started it."""
    return LabState.model_validate_json(_file().read_text()) if _file().exists() else None


def _others() -> list[LabState]:
    """This person's labs of other names."""
    files = [file for file in paths.state().parent.glob("kubeproof*/lab.json") if file != _file()]
    return [LabState.model_validate_json(file.read_text()) for file in files]


def _network() -> Path:
    """Where the lab's network namespace is mounted: `ip netns` would leave a mount of its own on the host for good."""
    return paths.state() / "network"


@contextmanager
def _alone() -> Iterator[None]:
    """Hold off this person's labs of other names, by the folder of all their folders: the host has one limit."""
    folder = os.open(paths.state().parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def inside(*command: str | Path) -> list[str]:
    """`command` as it is run inside the lab's network."""
    return ["nsenter", f"--net={_network()}", *[str(word) for word in command]]


def refuse_impossible(spec: Spec, file: Path) -> None:
    """Raise SpecError, with a line for each key, if no lab can be as `spec`, read from `file`, has it."""
    problems = [
        f"{name}.version: the lab builds {name} {', '.join(go.versions(name))}, not {version}: change it, or add a "
        f"recipe as {go.MODULES / f'{name}-{version}'}"
        for name, version in (("kubernetes", spec.kubernetes.version), *sources.network(spec).items())
        if version not in go.versions(name)
    ]
    behind_nat = IPv4Interface(NAT_BRIDGE).network
    problems += [
        f"networks.{name}: {network} overlaps {behind_nat}, the NAT network of the lab's machines"
        for name, network in spec.networks
        if network.overlaps(behind_nat)
    ]
    if problems:
        raise SpecError("\n".join(f"{file}: {problem}" for problem in problems))


def start(spec: Spec, progress: Progress) -> LabState:
    """Build what is not cached, start the daemon, and make ready for machines as `spec` has them.

    Raises LabFailed, CommandFailed or OSError (a port in use); call stop() then, as after use.
    """
    home = paths.state()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    listeners = _listen(spec)
    box.prepare(spec, progress)
    key = _make_key(home)
    with _alone():
        now, others = int(INOTIFY.read_text()), _others()
        state = LabState(
            docker_host=f"unix://{home}/docker.sock",
            ssh_key=key,
            run_arguments=[*RUN_ARGUMENTS, *_apparmor()],
            api_port=listeners[-1].getsockname()[1],
            inotify_instances=others[0].inotify_instances if others else now,
        )
        state.save()
        INOTIFY.write_text(str(max(INOTIFY_INSTANCES, now)))
    _make_namespace(spec)
    with progress.task("starting the lab's Docker daemon"):
        _start_docker(state, home)
    made = box.provide_box(spec, state.docker, progress)
    state.image, state.bundle = made.image, made.bundle
    gateway = next(stated(spec.networks.node).hosts())
    run(
        "docker",
        *("network", "create", "--internal", f"--subnet={spec.networks.node}", f"--gateway={gateway}"),
        f"--opt=com.docker.network.bridge.name={NODE_BRIDGE}",
        f"vagrant_network_{spec.networks.node}",
        env=state.docker,
    )
    _start_resolver(state, spec, home, str(gateway))
    _start_relay(state, spec, listeners)
    return state


def stop(progress: Progress) -> None:
    """End and remove all that start() made, as far as it got; the cache stays.

    What a killed run had no time to write down is found by the lab's network and control group.
    """
    state = running()
    if state is None:
        return
    with progress.task("destroying the lab"):
        with suppress(CommandFailed):
            _remove_machines(state)
        for process in reversed(state.processes):
            process.end()
        processes.end_all_in(_network())
        _empty_cgroups()
        _unmount()
        shutil.rmtree(paths.state() / "docker", ignore_errors=True)
        for left in ("docker.sock", "docker.pid", "ssh_key", "ssh_key.pub", "Corefile", "network"):
            (paths.state() / left).unlink(missing_ok=True)
        with _alone():
            if not _others():
                INOTIFY.write_text(str(state.inotify_instances))
            _file().unlink()


def _make_key(home: Path) -> Path:
    """The key pair by which Vagrant and the checks enter this lab's machines, and nobody else."""
    key = home / "ssh_key"
    if not key.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "kubeproof", "-f", key)
    return key


def _apparmor() -> list[str]:
    return ["--security-opt=apparmor=unconfined"] if Path("/sys/kernel/security/apparmor").is_dir() else []


def _make_namespace(spec: Spec) -> None:
    _network().touch()
    run("unshare", f"--net={_network()}", "true")
    run(*inside("ip", "link", "set", "lo", "up"))
    ports = [stated(node.ssh_port) for node in spec.nodes]
    kept = f"{','.join(str(port) for port in ports)},{max(ports)}-{min(max(ports) + PORTS_BESIDE, LAST_PORT)}"
    # Else a connection of somebody's may come to have one of them for its own end when the machine's is to be opened.
    run(*inside("sysctl", "-qw", f"net.ipv4.ip_local_reserved_ports={kept}"))


def _plain_bridges() -> None:
    """Left on, Docker's rules would drop routed pod traffic on what is to be a plain network between machines."""
    if Path("/proc/sys/net/bridge").is_dir():
        run(*inside("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0", "net.bridge.bridge-nf-call-ip6tables=0"))


def _start_docker(state: LabState, home: Path) -> None:
    data = _data()
    sockets = home / "docker"
    sockets.mkdir(exist_ok=True)
    config = sockets / "containerd.toml"
    config.write_text(
        f'version = 2\nroot = "{data}/containerd"\nstate = "{sockets}/containerd"\n'
        f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{sockets}/containerd.sock"\n'
    )
    _launch(state, "containerd", ["containerd", "--config", config])
    _await(state, "containerd", (sockets / "containerd.sock").exists)
    settings = sockets / "daemon.json"  # not the host's /etc/docker/daemon.json
    settings.write_text("{}")
    dockerd: list[str | Path] = [
        *("dockerd", f"--host={state.docker_host}", f"--containerd={sockets}/containerd.sock"),
        *(f"--data-root={data}/data", f"--exec-root={sockets}/exec", f"--pidfile={home}/docker.pid"),
        *(f"--cgroup-parent=/{paths.lab()}", f"--bip={NAT_BRIDGE}", "--icc=false", f"--config-file={settings}"),
    ]
    _launch(state, "dockerd", dockerd)
    _await(state, "dockerd", lambda: run("docker", "version", env=state.docker, timeout=10))
    _remove_machines(state)  # of a lab that was killed: the daemon keeps its records in the cache
    _plain_bridges()  # Docker turns them on for icc=false
    # Machines reach each other by their private network alone, as behind VirtualBox's NAT: icc=false wants this.
    run(*inside("ip", "link", "set", "docker0", "type", "bridge", "nf_call_iptables", "1"))


def _remove_machines(state: LabState) -> None:
    machines = run("docker", "ps", "--all", "--quiet", env=state.docker).split()
    if machines:
        run("docker", "rm", "--force", "--volumes", *machines, env=state.docker)
    run("docker", "network", "prune", "--force", env=state.docker)


def _start_resolver(state: LabState, spec: Spec, home: Path, gateway: str) -> None:
    """CoreDNS for the machines: it answers for the spec's outside names, and that there are no others."""
    names = "\n".join(f"        {address} {name}" for name, address in spec.machines.outside_names.items())
    corefile = home / "Corefile"
    corefile.write_text(
        f".:53 {{\n    bind {gateway}\n    errors\n    hosts {{\n{names}\n        fallthrough\n    }}\n"
        "    template ANY ANY . {\n        rcode NXDOMAIN\n    }\n}\n"
    )
    coredns = provide(sources.of(spec, "coredns")["coredns"], Progress(quiet=True))
    _launch(state, "resolver", [coredns / "coredns", "-conf", corefile])
    _await(state, "resolver", lambda: run(*inside("bash", "-c", f"exec 3<>/dev/tcp/{gateway}/53")) == "")


def _listen(spec: Spec) -> list[socket.socket]:
    """Sockets on loopback: each node's ssh port, and a free one for the API."""
    sockets = []
    for port in [*[node.ssh_port for node in spec.nodes], 0]:
        try:
            sockets.append(socket.create_server(("127.0.0.1", port)))
        except OSError as error:
            owner = next((n.name for n in spec.nodes if n.ssh_port == port), "the API")
            raise OSError(
                error.errno, f"port {port} on 127.0.0.1, {owner}'s, is not free: end what uses it, or change the spec"
            ) from None
    return sockets


def _start_relay(state: LabState, spec: Spec, listeners: list[socket.socket]) -> None:
    targets = [*[f"127.0.0.1:{node.ssh_port}" for node in spec.nodes], f"{spec.control_plane.address}:6443"]
    routes = [f"{listener.fileno()}={target}" for listener, target in zip(listeners, targets, strict=True)]
    descriptors = [listener.fileno() for listener in listeners]
    _launch(state, "relay", [sys.executable, "-m", "kubeproof.lab.relay", *routes], descriptors)
    for listener in listeners:
        listener.close()


def _launch(state: LabState, name: str, command: list[str | Path], descriptors: list[int] | None = None) -> None:
    log = paths.state() / f"{name}.log"
    log.unlink(missing_ok=True)
    state.processes.append(processes.start(name, command, log=log, network=_network(), descriptors=descriptors or ()))
    state.save()


def _await(state: LabState, name: str, answers: Callable[[], object]) -> None:
    process = state.processes[-1]
    try:
        wait_for(
            f"the lab's {name} answers or ends",
            lambda: not process.is_running() or answers(),
            within=START_SECONDS,
        )
    except NotInTime as late:
        raise LabFailed(f"{late}; it said:\n{_last_lines(name)}") from None
    if not process.is_running():
        raise LabFailed(f"the lab's {name} ended as soon as it was started; it said:\n{_last_lines(name)}")


def _last_lines(name: str) -> str:
    log = (paths.state() / f"{name}.log").read_text(errors="replace")
    return "\n".join(log.strip().splitlines()[-LAST_LINES:])


def _cgroups() -> list[Path]:
    """The lab's cgroups in every hierarchy, the innermost first."""
    tops = [*Path("/sys/fs/cgroup").glob(f"*/{paths.lab()}"), Path("/sys/fs/cgroup", paths.lab())]
    return [Path(folder) for top in tops for folder, _, _ in os.walk(top, topdown=False)]


def _empty_cgroups() -> None:
    """Kill what a machine left running (nothing, unless Docker itself was killed) and remove its groups."""
    for folder in _cgroups():
        with suppress(OSError):
            for pid in (folder / "cgroup.procs").read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
                    psutil.wait_procs([psutil.Process(int(pid))], timeout=5)
    for folder in _cgroups():
        with suppress(OSError):
            folder.rmdir()


def _unmount() -> None:
    ours = (f"{paths.state()}/", f"{_data()}/")
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in reversed([mount for mount in mounts if mount.startswith(ours)]):
        with suppress(CommandFailed):
            run("umount", "--lazy", mount)
