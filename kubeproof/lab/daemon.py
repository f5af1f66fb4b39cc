"""The lab's Docker daemon, in a network namespace without an uplink.

The nodes' networks exist inside that namespace alone: they can't clash with the host's, and no traffic gets out.
"""

import shutil
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import IPv4Interface
from pathlib import Path

from kubeproof.lab import LabFailed, box, container, go, host, processes, sources, state
from kubeproof.lab.cache import provide
from kubeproof.lab.state import LabState
from kubeproof.process import paths
from kubeproof.process.commands import LAST_LINES, CommandFailed, run
from kubeproof.process.progress import Progress
from kubeproof.process.waiting import NotInTime, wait_for
from kubeproof.spec import Spec, SpecError, stated
from kubeproof.spec.wellknown import API_SERVER_PORT

# VirtualBox's NAT interface has an address of this network as well, and kubelet takes it unless it is told otherwise.
NAT_BRIDGE = "10.0.2.1/24"
NODE_BRIDGE = "kp-nodes"
START_SECONDS = 60


def refuse_impossible(spec: Spec, file: Path) -> None:
    """Raise SpecError, with a line for each key of `file`, if the lab can't make what `spec` asks for."""
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
    """Build the missing parts, start the daemon, and prepare the box and the network for the machines of `spec`.

    Raises LabFailed, CommandFailed or OSError (a port in use). After an error too, stop() removes what was started.
    """
    home = paths.state()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    listeners = _listen(spec)
    box.prepare(spec, progress)
    key = _make_key(home)
    with state.locked():
        limit, others = int(host.INOTIFY.read_text()), state.others()
        lab = LabState(
            docker_host=f"unix://{home}/docker.sock",
            ssh_key=key,
            run_arguments=container.run_arguments(),
            api_port=listeners[-1].getsockname()[1],
            inotify_instances=others[0].inotify_instances if others else limit,
        )
        lab.save()
        host.INOTIFY.write_text(str(max(host.INOTIFY_INSTANCES, limit)))
    host.make_network(spec)
    with progress.task("starting the lab's Docker daemon"):
        _start_docker(lab, home)
    lab.image, lab.bundle = box.provide_box(spec, lab.docker, progress)
    gateway = next(stated(spec.networks.node).hosts())
    run(
        "docker",
        *("network", "create", "--internal", f"--subnet={spec.networks.node}", f"--gateway={gateway}"),
        f"--opt=com.docker.network.bridge.name={NODE_BRIDGE}",
        f"vagrant_network_{spec.networks.node}",
        env=lab.docker,
    )
    _start_resolver(lab, spec, home, str(gateway))
    _start_relay(lab, spec, listeners)
    return lab


def stop(progress: Progress) -> None:
    """End and remove everything that start() made, even after a start that failed; the cache stays.

    A killed run may have started processes without a record: the lab's network and control groups lead to them.
    """
    lab = state.running()
    if lab is None:
        return
    with progress.task("destroying the lab"):
        with suppress(CommandFailed):
            _remove_machines(lab)
        for process in reversed(lab.processes):
            process.end()
        processes.end_all_in(host.network())
        host.end_control_groups()
        host.unmount()
        shutil.rmtree(paths.state() / "docker", ignore_errors=True)
        for name in ("docker.sock", "docker.pid", "ssh_key", "ssh_key.pub", "Corefile", "network"):
            (paths.state() / name).unlink(missing_ok=True)
        with state.locked():
            if not state.others():
                host.INOTIFY.write_text(str(lab.inotify_instances))
            state.file().unlink()


def _make_key(home: Path) -> Path:
    """The key pair with which Vagrant and the checks enter the machines of this lab alone."""
    key = home / "ssh_key"
    if not key.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "kubeproof", "-f", key)
    return key


def _start_docker(lab: LabState, home: Path) -> None:
    data = state.docker_data()
    sockets = home / "docker"
    sockets.mkdir(exist_ok=True)
    config = sockets / "containerd.toml"
    config.write_text(
        f'version = 2\nroot = "{data}/containerd"\nstate = "{sockets}/containerd"\n'
        f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{sockets}/containerd.sock"\n'
    )
    _launch(lab, "containerd", ["containerd", "--config", config], answers=(sockets / "containerd.sock").exists)
    settings = sockets / "daemon.json"  # in place of the host's /etc/docker/daemon.json
    settings.write_text("{}")
    dockerd: list[str | Path] = [
        *("dockerd", f"--host={lab.docker_host}", f"--containerd={sockets}/containerd.sock"),
        *(f"--data-root={data}/data", f"--exec-root={sockets}/exec", f"--pidfile={home}/docker.pid"),
        *(f"--cgroup-parent=/{paths.lab()}", f"--bip={NAT_BRIDGE}", "--icc=false", f"--config-file={settings}"),
    ]
    _launch(lab, "dockerd", dockerd, answers=lambda: run("docker", "version", env=lab.docker, timeout=10))
    _remove_machines(lab)  # machines of a killed lab: the daemon keeps its records in the cache
    # Docker turns these on for icc=false. On the nodes' network, its rules would then drop routed pod traffic.
    if Path("/proc/sys/net/bridge").is_dir():
        off = [f"net.bridge.bridge-nf-call-{tables}=0" for tables in ("iptables", "ip6tables")]
        run(*host.inside("sysctl", "-qw", *off))
    # On the NAT bridge icc=false needs it: there machines must not reach each other, as behind VirtualBox's NAT.
    run(*host.inside("ip", "link", "set", "docker0", "type", "bridge", "nf_call_iptables", "1"))


def _remove_machines(lab: LabState) -> None:
    machines = run("docker", "ps", "--all", "--quiet", env=lab.docker).split()
    if machines:
        run("docker", "rm", "--force", "--volumes", *machines, env=lab.docker)
    run("docker", "network", "prune", "--force", env=lab.docker)


def _start_resolver(lab: LabState, spec: Spec, home: Path, gateway: str) -> None:
    """Start a CoreDNS that resolves the spec's outside names for the machines, and denies every other name."""
    names = "\n".join(f"        {address} {name}" for name, address in spec.machines.outside_names.items())
    corefile = home / "Corefile"
    corefile.write_text(
        f".:53 {{\n    bind {gateway}\n    errors\n    hosts {{\n{names}\n        fallthrough\n    }}\n"
        "    template ANY ANY . {\n        rcode NXDOMAIN\n    }\n}\n"
    )
    coredns = provide(sources.of(spec, "coredns")["coredns"], Progress(quiet=True))
    connect = host.inside("bash", "-c", f"exec 3<>/dev/tcp/{gateway}/53")
    _launch(lab, "resolver", [coredns / "coredns", "-conf", corefile], answers=lambda: run(*connect) == "")


def _listen(spec: Spec) -> list[socket.socket]:
    """Sockets on loopback: each node's ssh port, and a free port for the API."""
    sockets = []
    for owner, port in [*[(node.name, node.ssh_port) for node in spec.nodes], ("the API", 0)]:
        try:
            sockets.append(socket.create_server(("127.0.0.1", port)))
        except OSError as error:
            raise OSError(
                error.errno, f"port {port} on 127.0.0.1, {owner}'s, is not free: end what uses it, or change the spec"
            ) from None
    return sockets


def _start_relay(lab: LabState, spec: Spec, listeners: list[socket.socket]) -> None:
    targets = [
        *[f"127.0.0.1:{node.ssh_port}" for node in spec.nodes],
        f"{spec.control_plane.address}:{API_SERVER_PORT}",
    ]
    routes = [f"{listener.fileno()}={target}" for listener, target in zip(listeners, targets, strict=True)]
    command: list[str | Path] = [sys.executable, "-m", "kubeproof.lab.relay", *routes]
    _launch(lab, "relay", command, descriptors=[listener.fileno() for listener in listeners])
    for listener in listeners:
        listener.close()


def _launch(
    lab: LabState,
    name: str,
    command: list[str | Path],
    *,
    answers: Callable[[], object] = lambda: True,
    descriptors: Sequence[int] = (),
) -> None:
    """Start a process of the lab, and wait until it answers; raises LabFailed with the end of its log."""
    log = paths.state() / f"{name}.log"
    log.unlink(missing_ok=True)
    process = processes.start(name, command, log=log, network=host.network(), descriptors=descriptors)
    lab.processes.append(process)
    lab.save()
    answers_or_ends = f"the lab's {name} answers or ends"
    try:
        wait_for(answers_or_ends, lambda: not process.is_running() or answers(), within=START_SECONDS)
        failure = "" if process.is_running() else f"the lab's {name} ended right after its start"
    except NotInTime as late:
        failure = f"{late}"
    if failure:
        last = "\n".join(log.read_text(errors="replace").strip().splitlines()[-LAST_LINES:])
        raise LabFailed(f"{failure}; its last output:\n{last}")
