"""The spec: what a cluster is to be, read by the Vagrantfile, the checks and the report alike.

`python -m kubeproof.spec FILE` validates a spec and prints it as JSON, with every path absolute: this is how the
Vagrantfile reads it.
"""

from __future__ import annotations

import datetime
import difflib
import itertools
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

# What a spec's `scripts` folder holds.
SCRIPTS = ("step.sh", "config.sh", "install_pkg.sh", "master_node.sh", "work_nodes.sh")


class SpecError(Exception):
    """A spec that can't be used; the message names each key, its value and what would be right."""


class Section(BaseModel):
    """A mapping of the spec: every key is required, and no other is known."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _canonical_network(value: Any) -> IPv4Network:
    try:
        return IPv4Network(value)
    except ValueError:
        pass
    try:
        right = IPv4Network(value, strict=False)
    except ValueError:
        raise PydanticCustomError("network", "must be an IPv4 network such as 172.16.0.0/16") from None
    raise PydanticCustomError("network", "has host bits set: the network is {right}", {"right": str(right)})


def _address(value: Any) -> IPv4Address:
    try:
        return IPv4Address(value)
    except ValueError:
        raise PydanticCustomError("address", "must be an IPv4 address such as 192.168.1.10") from None


Network = Annotated[IPv4Network, BeforeValidator(_canonical_network)]
Address = Annotated[IPv4Address, BeforeValidator(_address)]
# RFC 1123 label, which kubelet requires of a node's name.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Version = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
# https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#token-format
Token = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{6}\.[a-z0-9]{16}$")]
Reason = Annotated[str, StringConstraints(min_length=1)]


class Kubernetes(Section):
    """The release that runs and how machines join it."""

    version: Version
    bootstrap_token: Token
    bootstrap_token_ttl: str
    dns_domain: str


class Networks(Section):
    """The three address ranges of a cluster."""

    node: Network
    pod: Network
    service: Network

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for (one, first), (other, second) in itertools.combinations(self, 2):
            if first.overlaps(second):
                raise PydanticCustomError(
                    "overlap",
                    "{one} {first} overlaps {other} {second}: the three networks must be apart",
                    {"one": one, "first": str(first), "other": other, "second": str(second)},
                )
        return self


class Calico(Section):
    """The pod network's provider."""

    version: Version
    encapsulation: Literal["CrossSubnet", "Always", "Never"]


class Node(Section):
    """One machine; memory in MiB, the ssh port on the host's loopback."""

    name: Name
    role: Literal["control-plane", "worker"]
    address: Address
    cpus: Annotated[int, Field(ge=1)]
    memory_mb: Annotated[int, Field(ge=512)]
    ssh_port: Annotated[int, Field(ge=1024, le=65535)]


class Machine(Section):
    """What the scripts owe every machine."""

    selinux: Literal["permissive", "disabled", "enforcing"]
    kernel_modules: list[str]
    sysctls: dict[str, int]
    programs: list[str]
    held_packages: list[str]
    shell_alias: str
    admin_scripts: str


class Provider(Section):
    """What differs from one kind of machine to another."""

    private_interface: str
    default_interface: str
    nameservers: list[Address]
    outside_names: dict[str, Address]
    package_repository: str
    runtime_package: str
    admin_packages: list[str]
    admin_scripts: str
    calico_manifest: str
    ignored_preflight: list[str]
    kubeadm_overrides: list[dict[str, Any]]
    not_applicable: dict[str, Reason]


class Experiments(Section):
    """How the cluster is judged when parts fail."""

    margin_seconds: Annotated[int, Field(ge=1)]


class AcceptedRisk(Section):
    """A check that is known red, accepted by the cluster's owner for a reason until a day."""

    reason: Reason
    until: datetime.date

    @model_validator(mode="after")
    def _not_expired(self) -> Self:
        if self.until < datetime.datetime.now(datetime.UTC).date():
            raise PydanticCustomError(
                "expired", "was accepted until {until}: decide anew, or mend it", {"until": str(self.until)}
            )
        return self


class Spec(Section):
    """A whole cluster."""

    name: Name
    scripts: Path
    provider: Literal["docker"]
    kubernetes: Kubernetes
    networks: Networks
    calico: Calico
    nodes: Annotated[list[Node], Field(min_length=1)]
    machine: Machine
    traffic_image: str
    experiments: Experiments
    providers: dict[str, Provider]
    accepted_risks: dict[str, AcceptedRisk]

    @property
    def control_plane(self) -> Node:
        """The machine that runs the API server."""
        return next(node for node in self.nodes if node.role == "control-plane")

    @property
    def workers(self) -> list[Node]:
        """The machines that pods are scheduled to, in the spec's order."""
        return [node for node in self.nodes if node.role == "worker"]

    @property
    def pod_mtu(self) -> int:
        """Bytes in the largest packet of a pod: Ethernet's 1500, less VXLAN's 50 where it is used (RFC 7348)."""
        return 1500 if self.calico.encapsulation == "Never" else 1450

    @property
    def machines(self) -> Provider:
        """What the chosen provider's machines are like."""
        return self.providers[self.provider]

    def node(self, name: str) -> Node:
        """The node of that name; KeyError if the spec has none."""
        try:
            return next(node for node in self.nodes if node.name == name)
        except StopIteration:
            raise KeyError(name) from None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for problem in self._problems():
            raise PydanticCustomError("inconsistent", "{problem}", {"problem": problem})
        return self

    def _problems(self) -> Iterator[str]:
        if self.provider not in self.providers:
            yield f"provider {self.provider!r} has no section under providers ({', '.join(self.providers)})"
        if [node.role for node in self.nodes].count("control-plane") != 1:
            yield "nodes: exactly one must have the role control-plane"
        for key in ("name", "address", "ssh_port"):
            values = [getattr(node, key) for node in self.nodes]
            for value in {value for value in values if values.count(value) > 1}:
                yield f"nodes: {key} {value} is used by more than one node"
        for node in self.nodes:
            if node.address not in self.networks.node:
                yield f"nodes: {node.name}'s address {node.address} is outside networks.node {self.networks.node}"
            # The first host of the node network is the provider's own end of it.
            if node.address == next(self.networks.node.hosts()):
                yield f"nodes: {node.name}'s address {node.address} is the gateway's of {self.networks.node}"


class _UniqueKeys(yaml.SafeLoader):
    """YAML whose mappings name a key once; PyYAML alone would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} is given twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def load(path: Path) -> Spec:
    """Read and validate the spec at `path`.

    Raises SpecError, with one line for each problem, before anything could have been started.
    """
    try:
        # A subclass of SafeLoader builds plain values only.
        document = yaml.load(path.read_text(), Loader=_UniqueKeys)  # noqa: S506
    except OSError as error:
        raise SpecError(f"{path}: can't be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: is not YAML: {error}") from None
    if not isinstance(document, dict):
        raise SpecError(f"{path}: must be a mapping of keys such as name, provider and nodes")
    try:
        spec = Spec.model_validate(_with_absolute_scripts(document, path))
    except ValidationError as error:
        raise SpecError("\n".join(f"{path}: {_told(problem)}" for problem in error.errors())) from None
    for script in SCRIPTS:
        if not (spec.scripts / script).is_file():
            raise SpecError(f"{path}: scripts: {spec.scripts} has no {script}")
    return spec


def _with_absolute_scripts(document: dict[Any, Any], path: Path) -> dict[Any, Any]:
    if isinstance(document.get("scripts"), str):
        return {**document, "scripts": (path.parent / document["scripts"]).resolve()}
    return document


def _told(problem: ErrorDetails) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "spec"
    match problem["type"]:
        case "missing":
            return f"{where}: is required and not there"
        case "extra_forbidden":
            key = str(problem["loc"][-1])
            nearest = difflib.get_close_matches(key, _section_of(problem["loc"]).model_fields, n=1)
            return f"{where}: is not a known key" + (f"; did you mean {nearest[0]!r}?" if nearest else "")
        case "string_type":
            return f"{where}: {problem['input']!r} must be text: put it in quotes"
        case "string_pattern_mismatch":
            return f"{where}: {problem['input']!r} does not match {problem['ctx']['pattern']}"
        case "overlap" | "inconsistent" | "expired":
            return f"{where}: {problem['msg']}"
        case _:
            return f"{where}: {problem['input']!r} {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _section_of(where: tuple[int | str, ...]) -> type[BaseModel]:
    """The section that a key was looked for in; names and places inside a list or a map lead no deeper."""
    section: type[BaseModel] = Spec
    for part in where[:-1]:
        field = section.model_fields.get(str(part))
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
        section = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), section)
    return section


def main() -> None:
    """Print the spec named on the command line as JSON, or say what is wrong with it and exit with 2."""
    try:
        spec = load(Path(sys.argv[1]))
    except SpecError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    sys.stdout.write(spec.model_dump_json())


if __name__ == "__main__":
    main()
