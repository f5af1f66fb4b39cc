"""What a Vagrantfile makes, as Vagrant itself tells it, and the spec of that."""

import json
import re
import tempfile
from collections.abc import Iterator
from ipaddress import IPv4Interface
from pathlib import Path

import yaml
from pydantic import BaseModel, TypeAdapter

from kubeproof.initial import Impossible, Unanswered, cluster, name_like, refuse_to_overwrite, write
from kubeproof.process import paths
from kubeproof.process.commands import CommandFailed, run
from kubeproof.process.progress import Progress
from kubeproof.spec.scripts import SCRIPTS

DESCRIBE = Path(__file__).with_name("describe.rb")
VAGRANT_SECONDS = 300  # a Vagrantfile may ask its provider, or fetch a box's description
MADE_BY_US = ("docker", "virtualbox", "libvirt")
FIRST_PORT = 60000  # with the last byte of the address, as the default spec has it
ENTERPRISE_LINUX = re.compile(r"centos|rocky|alma|oracle|rhel|(^|/)el\d", re.IGNORECASE)  # by a box's name
ADMIN_CONF = "/etc/kubernetes/admin.conf"


class PrivateNetwork(BaseModel):
    """A network between the machines, as the Vagrantfile states it; `ip` is empty where DHCP gives it."""

    ip: str | None = None
    netmask: str | int | None = None


class Script(BaseModel):
    """A shell script that a machine is provisioned with."""

    path: Path
    args: list[str]
    env: dict[str, str | int | bool | None]


class Machine(BaseModel):
    """A machine of the Vagrantfile; None is what Vagrant does not tell. Memory in MiB."""

    name: str
    provider: str
    box: str | None
    hostname: str | None
    cpus: int | None
    memory_mb: int | None
    private_networks: list[PrivateNetwork]
    ssh_port: int | None
    scripts: list[Script]

    @property
    def address(self) -> str | None:
        """Its address in the first private network."""
        return next((network.ip for network in self.private_networks if network.ip), None)

    @property
    def size(self) -> dict[str, int]:
        """Its cpus and its memory in MiB, as far as Vagrant tells."""
        told = {"cpus": self.cpus, "memory_mb": self.memory_mb}
        return {key: value for key, value in told.items() if value}


def described(folder: Path) -> list[Machine]:
    """The machines of the Vagrantfile in `folder`, by Vagrant; none is touched.

    Raises Impossible if there is no Vagrantfile or no machine in it, Unanswered with Vagrant's own words if it fails.
    """
    file = (folder / "Vagrantfile").resolve() if folder.is_dir() else folder.resolve()
    if not file.is_file():
        raise Impossible(f"{file} is not there: name the folder of a Vagrantfile")
    with tempfile.TemporaryDirectory() as place:
        answer = Path(place) / "machines.json"
        environment = {"VAGRANT_VAGRANTFILE": str(DESCRIBE), "KUBEPROOF_VAGRANTFILE": str(file)}
        _vagrant(file.parent, "kubeproof-describe", str(answer), env=environment)
        machines = TypeAdapter(list[Machine]).validate_json(answer.read_text())
    if not machines:
        raise Impossible(f"{file} defines no machine")
    return machines


def _vagrant(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    try:
        known = {"VAGRANT_CHECKPOINT_DISABLE": "1", **(env or {})}
        return run("vagrant", *arguments, cwd=folder, env=known, timeout=VAGRANT_SECONDS)
    except CommandFailed as error:
        raise Unanswered(f"Vagrant does not tell: {error}") from None


def write_spec(folder: Path, output: Path, progress: Progress) -> None:
    """Write the spec of the machines that the Vagrantfile in `folder` makes.

    Where they are provisioned with kubeproof's own kind of scripts, it brings the same ones up; else they must be up,
    and it is of the existing cluster in them: its kubeconfig and ssh config are then written beside it.
    Raises Impossible or Unanswered.
    """
    refuse_to_overwrite(output)
    with progress.task("asking Vagrant"):
        machines = described(folder)
    scripts, place = _scripts(machines), (folder if folder.is_dir() else folder.parent).resolve()
    if scripts and machines[0].provider in MADE_BY_US:
        write(output, _made(place.name, scripts, machines))
    else:
        _write_existing(place, machines, output, progress)


def _scripts(machines: list[Machine]) -> Path | None:
    """The folder of the scripts, if they are those that kubeproof's Vagrantfile calls."""
    folders = {script.path.parent for machine in machines for script in machine.scripts if script.path.name in SCRIPTS}
    return next((one for one in folders if all((one / name).is_file() for name in SCRIPTS)), None)


def _made(name: str, scripts: Path, machines: list[Machine]) -> str:
    """The default spec with the values that the Vagrantfile states; its comments stay."""
    text = paths.DEFAULT_SPEC.read_text(encoding="utf-8")
    begin, _, rest = text.partition("nodes:\n")
    end = rest.partition("\n\n")[2]
    default = yaml.safe_load(text)
    told = {key: value for machine in machines for script in machine.scripts for key, value in script.env.items()}
    version = _version(machines) or default["kubernetes"]["version"]
    values = {
        "name": name_like(name),
        "scripts": json.dumps(str(scripts)),
        "provider": machines[0].provider,
        "version": f'"{version}"',
        "node": _network(machines) or default["networks"]["node"],
        "pod": told.get("POD_NETWORK"),
        "service": told.get("SERVICE_NETWORK"),
    }  # under these keys, the first of each is meant
    for key, value in values.items():
        if value:
            begin = _with(begin, rf'^ *{key}: +("[^"]*"|\S+)', str(value))
    minor = ".".join(version.split(".")[:2])
    end = re.sub(r"/v\d+\.\d+/", f"/v{minor}/", end)  # of pkgs.k8s.io
    if machines[0].box:
        system = "el9" if ENTERPRISE_LINUX.search(machines[0].box) else "debian12"
        end = _with(end, rf"^  {machines[0].provider}: +(\S+)", system)
        end = _with(end, rf"^  {system}:.*\n    box: +(\S+)", machines[0].box)
    # Nobody has accepted them here.
    end = re.sub(r"^accepted_risks:.*", "accepted_risks: {}\n", end, flags=re.MULTILINE | re.DOTALL)
    return "\n".join([f"{begin}nodes:", *_nodes(machines, default["nodes"]), "", end])


def _with(text: str, pattern: str, value: str) -> str:
    """`text` with `value` in the place of the first group of what matches first."""
    match = re.search(pattern, text, re.MULTILINE)
    return f"{text[: match.start(1)]}{value}{text[match.end(1) :]}" if match else text


def _version(machines: list[Machine]) -> str | None:
    """What the scripts are given that looks like a release of Kubernetes."""
    given = [word for machine in machines for script in machine.scripts for word in script.args]
    return next((word for word in given if re.fullmatch(r"1\.\d+\.\d+", word)), None)


def _network(machines: list[Machine]) -> str | None:
    networks = [network for machine in machines for network in machine.private_networks if network.ip]
    return str(IPv4Interface(f"{networks[0].ip}/{networks[0].netmask or 24}").network) if networks else None


def _nodes(machines: list[Machine], defaults: list[dict[str, object]]) -> Iterator[str]:
    """A line for each machine; what Vagrant does not tell is the default spec's, and marked."""
    for machine in machines:
        is_first = any(script.path.name == "master_node.sh" for script in machine.scripts)
        role = "control-plane" if is_first else "worker"
        like = next(node for node in defaults if node["role"] == role)
        if not machine.address:
            raise Impossible(f"{machine.name} has no address of its own in a private network: give it one there")
        known = {
            "cpus": machine.cpus,
            "memory_mb": machine.memory_mb,
            "ssh_port": machine.ssh_port or FIRST_PORT + int(machine.address.rpartition(".")[2]),
        }
        assumed = [key for key, value in known.items() if value is None]
        sizes = ", ".join(f"{key}: {like[key] if value is None else value}" for key, value in known.items())
        comment = f"   # {', '.join(assumed)}: assumed, Vagrant does not tell" if assumed else ""
        yield f"  - {{name: {machine.name}, role: {role}, address: {machine.address}, {sizes}}}{comment}"


def _write_existing(folder: Path, machines: list[Machine], output: Path, progress: Progress) -> None:
    ssh_config, kubeconfig = output.with_suffix(".ssh_config"), output.with_suffix(".kubeconfig")
    refuse_to_overwrite(ssh_config, kubeconfig)
    try:
        with progress.task("asking the machines"):
            told = _vagrant(folder, "ssh-config", *[machine.name for machine in machines])
            paths.write_whole(ssh_config, told)
            hostnames = {machine.name: _hostname(machine, ssh_config) for machine in machines}
            paths.write_whole(ssh_config, _named_as_in_the_api(told, hostnames))
            paths.write_whole(kubeconfig, _admin_conf(ssh_config, machines))
        sizes = {hostnames[machine.name]: machine.size for machine in machines}
        cluster.write_spec(kubeconfig, ssh_config, output, progress, sizes)
    except (Impossible, Unanswered):
        ssh_config.unlink(missing_ok=True)
        kubeconfig.unlink(missing_ok=True)
        raise


def _on(machine: Machine, ssh_config: Path, command: str) -> str:
    return run("ssh", "-F", ssh_config, machine.name, command, timeout=60)


def _hostname(machine: Machine, ssh_config: Path) -> str:
    try:
        return _on(machine, ssh_config, "hostname").strip()
    except CommandFailed as error:
        raise Unanswered(f"{machine.name} can't be entered: {error}") from None


def _named_as_in_the_api(told: str, hostnames: dict[str, str]) -> str:
    """The ssh config with each machine's own name, by which kubelet registers it, beside Vagrant's."""
    for name, hostname in hostnames.items():
        if hostname != name:
            told = told.replace(f"Host {name}\n", f"Host {name} {hostname}\n")
    return told


def _admin_conf(ssh_config: Path, machines: list[Machine]) -> str:
    for machine in machines:
        try:
            return _on(machine, ssh_config, f"sudo cat {ADMIN_CONF}")
        except CommandFailed:
            continue
    names = ", ".join(machine.name for machine in machines)
    raise Unanswered(
        f"none of {names} has {ADMIN_CONF}: fetch the kubeconfig of this cluster by its own means, and run "
        "`kubeproof init --kubeconfig FILE --ssh-config FILE`"
    )
