"""Asks Vagrant for the machines of a Vagrantfile, and writes the spec of their cluster."""

import re
import tempfile
from collections.abc import Iterator
from ipaddress import IPv4Interface
from pathlib import Path

from pydantic import BaseModel, TypeAdapter

from kubeproof.initial import Impossible, Unanswered, as_yaml, cluster, name_like, refuse_to_overwrite, write
from kubeproof.process import paths
from kubeproof.process.commands import CommandFailed, run
from kubeproof.process.progress import Progress
from kubeproof.spec import Spec, load, stated
from kubeproof.spec.model import SCHEMA_VERSION
from kubeproof.spec.scripts import CONTROL_PLANE, OF_ROLE, SCRIPTS, WORKER

DESCRIBE = Path(__file__).with_name("describe.rb")
VAGRANT_SECONDS = 300  # a Vagrantfile may ask its provider, or fetch a box's description
PROVIDERS = ("docker", "virtualbox", "libvirt")  # kubeproof's own Vagrantfile has settings for them
FIRST_PORT = 60000  # plus the last byte of the address, as in the default spec
ENTERPRISE_LINUX = re.compile(r"centos|rocky|alma|oracle|rhel|(^|/)el\d", re.IGNORECASE)  # in a box's name
ADMIN_CONF = "/etc/kubernetes/admin.conf"
HEADING = """\
# Written by `kubeproof init` from Vagrant's answers. Every other key is inherited from the bundled default spec, which
# `extends` names and which explains each key. null takes out a risk that nobody has accepted for this cluster.

"""


class PrivateNetwork(BaseModel):
    """A network between the machines, as the Vagrantfile states it; `ip` is empty if DHCP assigns it."""

    ip: str | None = None
    netmask: str | int | None = None


class Script(BaseModel):
    """A shell script that provisions a machine."""

    path: Path
    args: list[str]
    env: dict[str, str | int | bool | None]


class Machine(BaseModel):
    """A machine of the Vagrantfile; Vagrant does not report a value that is None. Memory in MiB."""

    name: str
    provider: str
    box: str | None
    cpus: int | None
    memory_mb: int | None
    private_networks: list[PrivateNetwork]
    ssh_port: int | None
    scripts: list[Script]

    @property
    def address(self) -> str | None:
        """The machine's address in the first private network."""
        return next((network.ip for network in self.private_networks if network.ip), None)

    @property
    def size(self) -> dict[str, int]:
        """The machine's cpus and memory in MiB, as far as Vagrant reports them."""
        return {key: value for key, value in [("cpus", self.cpus), ("memory_mb", self.memory_mb)] if value}


def described(folder: Path) -> list[Machine]:
    """Vagrant's description of the machines of the Vagrantfile in `folder`; no machine is touched.

    Raises Impossible if there is no Vagrantfile or no machine in it, Unanswered with Vagrant's own words if it fails.
    """
    file = (folder / "Vagrantfile").resolve() if folder.is_dir() else folder.resolve()
    if not file.is_file():
        raise Impossible(f"{file} does not exist: name the folder of a Vagrantfile")
    with tempfile.TemporaryDirectory() as drafts:
        answer = Path(drafts) / "machines.json"
        environment = {"VAGRANT_VAGRANTFILE": str(DESCRIBE), "KUBEPROOF_VAGRANTFILE": str(file)}
        _vagrant(file.parent, "kubeproof-describe", str(answer), env=environment)
        machines = TypeAdapter(list[Machine]).validate_json(answer.read_text())
    if not machines:
        raise Impossible(f"{file} defines no machine")
    return machines


def _vagrant(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    environment = {"VAGRANT_CHECKPOINT_DISABLE": "1", **(env or {})}
    try:
        return run("vagrant", *arguments, cwd=folder, env=environment, timeout=VAGRANT_SECONDS)
    except CommandFailed as error:
        raise Unanswered(f"Vagrant does not answer: {error}") from None


def write_spec(folder: Path, output: Path, progress: Progress) -> None:
    """Write the spec of the machines that the Vagrantfile in `folder` makes.

    If kubeproof's own kind of scripts provisions them, the spec makes the same machines. Otherwise they must be up:
    the spec is then of the existing cluster in them, and its kubeconfig and ssh config are written beside it.
    Raises Impossible or Unanswered.
    """
    refuse_to_overwrite(output)
    with progress.task("asking Vagrant"):
        machines = described(folder)
    project, scripts = (folder if folder.is_dir() else folder.parent).resolve(), _scripts(machines)
    if scripts and machines[0].provider in PROVIDERS:
        write(output, _extending_spec(project.name, scripts, machines))
    else:
        _write_existing(project, machines, output, progress)


def _scripts(machines: list[Machine]) -> Path | None:
    """The folder of the machines' scripts, if it contains all that kubeproof's Vagrantfile calls."""
    folders = {script.path.parent for machine in machines for script in machine.scripts if script.path.name in SCRIPTS}
    return next((folder for folder in folders if all((folder / name).is_file() for name in SCRIPTS)), None)


def _extending_spec(name: str, scripts: Path, machines: list[Machine]) -> str:
    """A spec that extends the bundled one by the values of the Vagrantfile."""
    default = load(paths.DEFAULT_SPEC)
    provider, box = machines[0].provider, machines[0].box
    version = _version(machines) or stated(default.kubernetes.version)
    env = {key: value for machine in machines for script in machine.scripts for key, value in script.env.items()}
    networks = {"node": _network(machines), "pod": env.get("POD_NETWORK"), "service": env.get("SERVICE_NETWORK")}
    system = default.providers[provider]
    if box:
        system = "el9" if ENTERPRISE_LINUX.search(box) else "debian12"
    minor = version.rpartition(".")[0]
    repository = {
        key: re.sub(r"/v\d+\.\d+/", f"/v{minor}/", text)  # pkgs.k8s.io has a repository for each minor release
        for key, text in default.systems[system].package_repositories["kubernetes"]
        if text
    }
    values = {
        "schema_version": SCHEMA_VERSION,
        "extends": str(paths.DEFAULT_SPEC),
        "name": name_like(name),
        "scripts": str(scripts),
        "provider": provider,
        "kubernetes": {"version": version},
        "networks": {key: value for key, value in networks.items() if value},
        "providers": {provider: system},
        "systems": {system: {**({"box": box} if box else {}), "package_repositories": {"kubernetes": repository}}},
        "accepted_risks": dict.fromkeys(default.accepted_risks),
    }
    return "\n".join([f"{HEADING}{as_yaml(values)}nodes:", *_nodes(machines, default), ""])


def _version(machines: list[Machine]) -> str | None:
    """The first argument of a script that looks like a release of Kubernetes."""
    arguments = [word for machine in machines for script in machine.scripts for word in script.args]
    return next((word for word in arguments if re.fullmatch(r"1\.\d+\.\d+", word)), None)


def _network(machines: list[Machine]) -> str | None:
    networks = [network for machine in machines for network in machine.private_networks if network.ip]
    return str(IPv4Interface(f"{networks[0].ip}/{networks[0].netmask or 24}").network) if networks else None


def _nodes(machines: list[Machine], default: Spec) -> Iterator[str]:
    """A line for each machine; a comment marks the default spec's values in place of unreported ones."""
    for machine in machines:
        is_first = any(script.path.name == OF_ROLE[CONTROL_PLANE] for script in machine.scripts)
        role = CONTROL_PLANE if is_first else WORKER
        model = next(node for node in default.nodes if node.role == role)
        if not machine.address:
            raise Impossible(f"{machine.name} has no address of its own in a private network: give it one there")
        sizes = {"cpus": model.cpus, "memory_mb": model.memory_mb, **machine.size}
        ssh_port = machine.ssh_port or FIRST_PORT + int(machine.address.rpartition(".")[2])
        values = {"name": machine.name, "role": role, "address": machine.address, **sizes, "ssh_port": ssh_port}
        assumed = ", ".join(key for key in sizes if key not in machine.size)
        comment = f"   # {assumed}: assumed, Vagrant does not report it" if assumed else ""
        yield f"  - {{{', '.join(f'{key}: {value}' for key, value in values.items())}}}{comment}"


def _write_existing(folder: Path, machines: list[Machine], output: Path, progress: Progress) -> None:
    ssh_config, kubeconfig = output.with_suffix(".ssh_config"), output.with_suffix(".kubeconfig")
    refuse_to_overwrite(ssh_config, kubeconfig)
    try:
        with progress.task("asking the machines"):
            config = _vagrant(folder, "ssh-config", *[machine.name for machine in machines])
            paths.write_whole(ssh_config, config)
            hostnames = {machine.name: _hostname(machine, ssh_config) for machine in machines}
            paths.write_whole(ssh_config, _named_as_in_the_api(config, hostnames))
            paths.write_whole(kubeconfig, _admin_conf(ssh_config, machines))
        sizes = {hostnames[machine.name]: machine.size for machine in machines}
        cluster.write_spec(kubeconfig, ssh_config, output, progress, sizes)
    except (Impossible, Unanswered):
        ssh_config.unlink(missing_ok=True)
        kubeconfig.unlink(missing_ok=True)
        raise


def _ssh(machine: Machine, ssh_config: Path, command: str) -> str:
    return run("ssh", "-F", ssh_config, machine.name, command, timeout=60)


def _hostname(machine: Machine, ssh_config: Path) -> str:
    try:
        return _ssh(machine, ssh_config, "hostname").strip()
    except CommandFailed as error:
        raise Unanswered(f"{machine.name} can't be entered: {error}") from None


def _named_as_in_the_api(ssh_config: str, hostnames: dict[str, str]) -> str:
    """The ssh config with each machine's hostname, by which kubelet registers it, beside Vagrant's name."""
    for name, hostname in hostnames.items():
        if hostname != name:
            ssh_config = ssh_config.replace(f"Host {name}\n", f"Host {name} {hostname}\n")
    return ssh_config


def _admin_conf(ssh_config: Path, machines: list[Machine]) -> str:
    for machine in machines:
        try:
            return _ssh(machine, ssh_config, f"sudo cat {ADMIN_CONF}")
        except CommandFailed:
            continue
    names = ", ".join(machine.name for machine in machines)
    raise Unanswered(
        f"none of {names} has {ADMIN_CONF}: fetch this cluster's kubeconfig yourself, and run "
        "`kubeproof init --kubeconfig FILE --ssh-config FILE`"
    )
