"""The spec: what a cluster is to be, read by the Vagrantfile, the checks and the report alike.

`python -m kubeproof.spec FILE` validates a spec and prints it as JSON, with every path absolute: this is how the
Vagrantfile reads it.
"""

from __future__ import annotations

import datetime
import difflib
import itertools
import os
import re
import reprlib
import ssl
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

PATHS = ("scripts", "kubeconfig", "ssh_config")  # from the spec's own folder
# What a spec's `scripts` folder holds.
SCRIPTS = ("step.sh", "config.sh", "install_pkg.sh", "master_node.sh", "work_nodes.sh")
# A pod network with less room than this gives some node no range of its own: kube-controller-manager's default
# --node-cidr-mask-size is 24.
NODE_RANGE_PREFIX = 24
NETWORK_PLUGINS = ("calico", "flannel")  # of which a cluster has one
SMALLEST_NODE_NETWORK_PREFIX = 30  # the network, its gateway, one machine, broadcast


class SpecError(Exception):
    """A spec that can't be used; the message names each key, its value and what would be right."""


class NotStated(AttributeError):
    """A value that the spec of an existing cluster leaves out: what needs it is not to be judged."""


_UNSTATED = object()


class Section(BaseModel):
    """A mapping of the spec: every key but those in `either` is required, and no other is known.

    Of an existing cluster, only the keys in `always` are: to read one that is not stated raises NotStated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    always: ClassVar[frozenset[str]] = frozenset()
    either: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _let_be_left_out(cls, document: Any, info: ValidationInfo) -> Any:
        if not isinstance(document, dict):
            return document
        required = {key for key, field in cls.model_fields.items() if field.is_required()}
        free = required - cls.always if info.context else cls.either
        return {**dict.fromkeys(free, _UNSTATED), **document}

    @field_validator("*", mode="wrap")
    @classmethod
    def _let_unstated_be(cls, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        return value if value is _UNSTATED else validate(value)

    @model_validator(mode="after")
    def _forget_unstated(self) -> Self:
        for key in [key for key, value in self.__dict__.items() if value is _UNSTATED]:
            del self.__dict__[key]
        return self

    if not TYPE_CHECKING:  # any attribute would seem to be there

        def __getattr__(self, key: str) -> Any:  # noqa: D105 # the class says it
            if key in type(self).model_fields:
                raise NotStated(f"the spec states no {key}: a check that reads it says so with @pytest.mark.needs")
            return super().__getattr__(key)


def _canonical_network(value: Any) -> IPv4Network:
    # Anything but text would be taken for an address by its number.
    text = value if isinstance(value, str) else ""
    try:
        return IPv4Network(text)
    except ValueError:
        pass
    try:
        right = IPv4Network(text, strict=False)
    except ValueError:
        raise PydanticCustomError("network", "must be an IPv4 network such as 172.16.0.0/16") from None
    raise PydanticCustomError("network", "has host bits set: the network is {right}", {"right": str(right)})


def _address(value: Any) -> IPv4Address:
    try:
        return IPv4Address(value if isinstance(value, str) else "")
    except ValueError:
        raise PydanticCustomError("address", "must be an IPv4 address such as 192.168.1.10") from None


def _like(pattern: str, what: str) -> AfterValidator:
    """Text that matches the whole of `pattern`; `what` says so to a person."""

    def matched(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise PydanticCustomError("unlike", "must be {what}", {"what": what})
        return value

    return AfterValidator(matched)


def _authority(value: Any) -> Path:
    try:
        file = Path(value if isinstance(value, str) else "")
        if file.is_absolute():
            ssl.create_default_context(cafile=file)
            return file
    except (OSError, ValueError) as error:
        reason = str(error)
        raise PydanticCustomError("authority", "can't be used: {reason}", {"reason": reason}) from None
    raise PydanticCustomError("authority", "must be the absolute path of a file of certificates in PEM")


Network = Annotated[IPv4Network, BeforeValidator(_canonical_network)]
Address = Annotated[IPv4Address, BeforeValidator(_address)]
Text = Annotated[str, StringConstraints(min_length=1)]
LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
# RFC 1123 label, which kubelet requires of a node's name.
Name = Annotated[str, _like(LABEL, "a name of at most 63 lower-case letters, digits and dashes, such as w1-k8s")]
Domain = Annotated[str, _like(rf"{LABEL}(\.{LABEL})*", "a domain such as cluster.local")]
# RFC 1123 subdomain: clouds name their nodes so.
NodeName = Annotated[str, _like(rf"{LABEL}(\.{LABEL})*", "a name such as w1-k8s or ip-10-0-0-1.ec2.internal")]
# With a vendor's suffix, such as -eks-508b6b3.
Version = Annotated[str, _like(r"[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?", "a whole version such as 1.36.3")]
# What a cluster may be made of, of which a check can only judge what is there; `kubeadm` stands for its static pods,
# certificates and config maps, `kubelet` for its being a service of systemd's.
Component = Literal["kubeadm", "kubelet", "containerd", "etcd", "kube-proxy", "coredns", "calico", "flannel"]
# https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#token-format
Token = Annotated[
    str,
    _like(
        r"[a-z0-9]{6}\.[a-z0-9]{16}", "a token such as abcdef.0123456789abcdef: 6 and 16 lower-case letters or digits"
    ),
]
# https://pkg.go.dev/time#ParseDuration, without the signs and the fractions of a second
Duration = Annotated[str, _like(r"0|([0-9]+(\.[0-9]+)?[hms])+", "a duration such as 24h, 1h30m, or 0 for ever")]

Url = Annotated[str, _like(r"https?://[^/\s]+\S*", "a URL such as https://mirror.example/releases")]
Authority = Annotated[Path, BeforeValidator(_authority)]


class Kubernetes(Section):
    """The release that runs and how machines join it."""

    version: Version
    bootstrap_token: Token
    bootstrap_token_ttl: Duration
    dns_domain: Domain
    coredns_spread: bool
    proxy_mode: Literal["iptables", "ipvs", "nftables"]


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
    """The pod network's provider, and when it wraps pod traffic in VXLAN."""

    version: Version
    encapsulation: Literal["CrossSubnet", "Always", "Never"]


class Flannel(Section):
    """The pod network's provider, and what carries pod traffic between machines: VXLAN, or routes alone."""

    version: Version
    backend: Literal["vxlan", "host-gw"]


class Node(Section):
    """One machine; memory in MiB, the ssh port on the host's loopback."""

    always = frozenset({"name"})

    name: NodeName
    role: Literal["control-plane", "worker"]
    address: Address
    cpus: Annotated[int, Field(ge=1)]
    memory_mb: Annotated[int, Field(ge=512)]
    ssh_port: Annotated[int, Field(ge=1024, le=65535)]


class Machine(Section):
    """What the scripts owe every machine."""

    selinux: Literal["permissive", "disabled", "enforcing"]
    kernel_modules: list[Text]
    sysctls: dict[Text, int]
    programs: list[Text]
    held_packages: list[Text]
    shell_alias: Text
    admin_scripts: Text


class Repository(Section):
    """Where packages come from: as apt or dnf names it, and the address of the key that signs it, if any does."""

    source: Text
    key: Text | None


class System(Section):
    """What differs from one kind of machine to another; `box` is Vagrant's, but for the lab, which builds its own."""

    box: Text | None
    private_interface: Text
    default_interface: Text
    cgroup_version: Literal[1, 2] | None
    nameservers: list[Address]
    outside_names: dict[Text, Address]
    package_repositories: dict[Name, Repository]
    runtime_package: Text
    admin_packages: list[Text]
    admin_scripts: Text
    network_manifest: Text
    ignored_preflight: list[Text]
    kubeadm_overrides: list[dict[Text, JsonValue]]
    not_applicable: dict[Text, Text]


class Lab(Section):
    """Where the embedded lab takes the cluster's programs from, and how it gets there."""

    source: Literal["auto", "modules", "release"]
    mirror: Url | None
    proxy: Url | None
    ca: Authority | None


class Experiments(Section):
    """How the cluster is judged when parts fail."""

    margin_seconds: Annotated[int, Field(ge=1)]


class AcceptedRisk(Section):
    """A check that is known red, accepted by the cluster's owner for a reason until a day."""

    always = frozenset({"reason", "until"})

    reason: Text
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

    always = frozenset({"name", "provider"})
    either = frozenset(NETWORK_PLUGINS)

    name: Name
    scripts: Path
    provider: Literal["docker", "virtualbox", "libvirt", "existing"]
    components: list[Component]
    kubernetes: Kubernetes
    networks: Networks
    calico: Calico
    flannel: Flannel
    nodes: Annotated[list[Node], Field(min_length=1)]
    machine: Machine
    traffic_image: Text
    experiments: Experiments
    lab: Lab
    providers: dict[Text, Text]
    systems: dict[Text, System]
    accepted_risks: dict[Text, AcceptedRisk]

    @property
    def control_plane(self) -> Node:
        """The machine that runs the API server, the first where there are several."""
        if not self.control_planes:
            raise NotStated("the spec states no node whose role is control-plane")
        return self.control_planes[0]

    @property
    def control_planes(self) -> list[Node]:
        """The machines that run the API server, in the spec's order."""
        return self._of_role("control-plane")

    @property
    def workers(self) -> list[Node]:
        """The machines that pods are scheduled to, in the spec's order."""
        return self._of_role("worker")

    def _of_role(self, role: str) -> list[Node]:
        return [node for node in self.nodes if getattr(node, "role", None) == role]

    @property
    def ssh(self) -> bool:
        """Whether the machines can be entered."""
        return True

    @property
    def left_out(self) -> dict[str, str]:
        """The checks that these machines can't answer, and why."""
        return self.machines.not_applicable

    def states(self, path: str) -> bool:
        """Whether there is a value at `path`, such as networks.pod, to hold a cluster against.

        Of a list of sections, each must have it; of a list or mapping of values, the rest of the path is in it.
        Raises AttributeError if no spec has such a key.
        """
        return _is_stated(self, path)

    @property
    def network_plugin(self) -> str:
        """Which of NETWORK_PLUGINS gives the pods their network; raises NotStated if it is none that is known."""
        for name in NETWORK_PLUGINS:
            if self.states(name) or self.states(f"components.{name}"):
                return name
        raise NotStated("the spec states no CNI plugin")

    @property
    def pod_mtu(self) -> int:
        """Bytes in the largest packet of a pod: Ethernet's 1500, less VXLAN's 50 where it is used (RFC 7348)."""
        if self.network_plugin == "flannel":
            wrapped = self.flannel.backend == "vxlan"
        else:
            wrapped = self.calico.encapsulation != "Never"
        return 1450 if wrapped else 1500

    @property
    def flannel_device(self) -> str:
        """The interface that wraps Flannel's traffic, by its VNI; raises NotStated where none is made."""
        if self.flannel.backend != "vxlan":
            raise NotStated(f"Flannel makes no interface for {self.flannel.backend}")
        return "flannel.1"

    @property
    def machines(self) -> System:
        """What the chosen provider's machines are like."""
        return self.systems[self.providers[self.provider]]

    def node(self, name: str) -> Node:
        """The node of that name; KeyError if the spec has none."""
        try:
            return next(node for node in self.nodes if node.name == name)
        except StopIteration:
            raise KeyError(name) from None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = list(self._problems())
        if problems:
            raise PydanticCustomError("inconsistent", "the parts do not fit together", {"problems": problems})
        return self

    def _problems(self) -> Iterator[str]:
        if self.provider not in self.providers:
            yield f"provider: {self.provider!r} is none of providers ({', '.join(self.providers)})"
        elif self.providers[self.provider] not in self.systems:
            system = self.providers[self.provider]
            yield f"providers.{self.provider}: {system!r} has no section under systems ({', '.join(self.systems)})"
        else:
            yield from self._unlike_the_release()
        yield from self._unlike_its_network_plugin()
        if [node.role for node in self.nodes].count("control-plane") != 1:
            yield "nodes: exactly one must have the role control-plane"
        yield from self._repeated("name", "address", "ssh_port")
        yield from (f"nodes: {node.name}: a machine's name has no dots" for node in self.nodes if "." in node.name)
        if self.networks.node.prefixlen > SMALLEST_NODE_NETWORK_PREFIX:
            yield f"networks.node: {self.networks.node} has no room for a gateway and a machine"
        else:
            yield from self._misplaced()
        if self.networks.pod.num_addresses < len(self.nodes) << (32 - NODE_RANGE_PREFIX):
            yield (
                f"networks.pod: {self.networks.pod} has no room for a /{NODE_RANGE_PREFIX} for each of "
                f"{len(self.nodes)} nodes"
            )

    def _repeated(self, *keys: str) -> Iterator[str]:
        """What only one node can have, and more than one does."""
        for key in keys:
            values = [getattr(node, key) for node in self.nodes if hasattr(node, key)]
            for value in dict.fromkeys(value for value in values if values.count(value) > 1):
                yield f"nodes: {key} {value} is used by more than one node"

    def _unlike_its_network_plugin(self) -> Iterator[str]:
        """What another CNI plugin than the cluster's one is asked for."""
        choice = " or ".join(NETWORK_PLUGINS)
        stated = [name for name in NETWORK_PLUGINS if self.states(name)]
        if not stated:
            yield f"{choice}: one is required, for the pods' network, and not there"
        elif len(stated) > 1:
            yield f"{' and '.join(stated)}: a cluster has one CNI plugin: leave all but one out"
        for name in NETWORK_PLUGINS:
            if self.states(f"components.{name}") and name not in stated:
                yield f"components: {name} is to be judged, but there is no section {name}"

    def _unlike_the_release(self) -> Iterator[str]:
        """What the machines' system takes from another release than the spec's."""
        system, where = self.machines, f"systems.{self.providers[self.provider]}"
        if (system.box is None) != (self.provider == "docker"):
            right = "null: the lab builds its own" if system.box else "the name of a Vagrant box"
            yield f"{where}.box: must be {right}"
        for name, repository in system.package_repositories.items():
            for text in filter(None, (repository.source, repository.key)):
                named = re.search(r"//pkgs\.k8s\.io/core:/stable:/v([^/]+)/", text)
                if named and not self.kubernetes.version.startswith(f"{named[1]}."):
                    yield (
                        f"{where}.package_repositories.{name}: {text} is of Kubernetes {named[1]}, "
                        f"but kubernetes.version is {self.kubernetes.version}"
                    )
        released = re.search(r"//.*/v([0-9.]+)/", system.network_manifest)
        for plugin in filter(self.states, NETWORK_PLUGINS):
            version = getattr(self, plugin).version
            if released and released[1] != version:
                yield f"{where}.network_manifest: is of {released[1]}, but {plugin}.version is {version}"

    def _misplaced(self) -> Iterator[str]:
        """The nodes whose address can't be a machine's of the node network."""
        network = self.networks.node
        # The first host of the node network is the provider's own end of it.
        taken = {
            network[0]: "the network's own",
            network[1]: "the gateway's",
            network[-1]: "for broadcasts",
        }
        for node in self.nodes:
            if node.address not in network:
                inside = [name for name, other in self.networks if node.address in other]
                where = f", inside networks.{inside[0]}" if inside else ""
                yield f"nodes: {node.name}'s address {node.address} is outside networks.node {network}{where}"
            elif node.address in taken:
                yield f"nodes: {node.name}'s address {node.address} is {taken[node.address]} in networks.node {network}"


class Existing(Spec):
    """A cluster that is there already and stays as it is: what its spec states is judged, and nothing else."""

    always = frozenset({"name", "provider", "kubeconfig"})

    kubeconfig: Path
    ssh_config: Path | None = None
    nodes: list[Node] = []
    components: list[Component] = []
    system: System
    not_applicable: dict[Text, Text] = {}
    accepted_risks: dict[Text, AcceptedRisk] = {}

    @property
    def machines(self) -> System:
        """What its machines are like."""
        return self.system

    @property
    def ssh(self) -> bool:
        """Whether the machines can be entered: without an ssh config, the API alone is asked."""
        return self.ssh_config is not None

    @property
    def left_out(self) -> dict[str, str]:
        """The checks that this cluster can't answer, and why."""
        return self.not_applicable

    def _problems(self) -> Iterator[str]:
        yield from self._repeated("name", "address")
        for key in ("scripts", "providers", "systems"):
            if self.states(key):
                yield f"{key}: is for clusters that Vagrant makes; this one exists"
        files = {"kubeconfig": self.kubeconfig, "ssh_config": self.ssh_config}
        missing = {key: file for key, file in files.items() if file and not os.path.isfile(file)}  # noqa: PTH113 # as in load()
        yield from (f"{key}: {file} is not there" for key, file in missing.items())
        if "kubeconfig" not in missing:
            yield from self._ambiguous()

    def _ambiguous(self) -> Iterator[str]:
        """A kubeconfig of several clusters: somebody could turn it to another between two runs."""
        try:
            document = yaml.safe_load(self.kubeconfig.read_text(encoding="utf-8"))
            contexts = document["contexts"]
        except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
            yield f"kubeconfig: {self.kubeconfig} can't be read as one"
            return
        if len(contexts) != 1:
            yield (
                f"kubeconfig: {self.kubeconfig} has {len(contexts)} contexts, and must have one: make a file of that "
                "cluster alone with `kubectl config view --minify --flatten --context=NAME > FILE`"
            )


def _is_stated(value: Any, path: str) -> bool:
    if not path:
        return value is not None and value is not False and value not in ([], {})
    if isinstance(value, list) and value and isinstance(value[0], Section):
        return all(_is_stated(one, path) for one in value)
    if isinstance(value, list | dict):
        return path in value
    key, _, rest = path.partition(".")
    try:
        inner = getattr(value, key)
    except NotStated:
        return False
    return _is_stated(inner, rest)


class _Loader(yaml.SafeLoader):
    """Plain values only, as SafeLoader; and what that one lets pass or breaks on is an error with its place."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        if isinstance(node, yaml.MappingNode):  # `!!map 5` comes here as well
            # PyYAML alone would silently keep the last of two.
            merged = "tag:yaml.org,2002:merge"
            keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != merged]
            for key in keys:
                if keys.count(key) > 1:
                    raise yaml.MarkedYAMLError(problem=f"the key {key!r} is given twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, str):
                value.encode()  # "\ud800" is half a character
        except (ValueError, LookupError, AttributeError, OverflowError):
            # 2026-02-30, 0x, !!bool maybe: whatever looks like a date or a number and is none.
            kind = node.tag.rsplit(":", 1)[-1]
            raise yaml.MarkedYAMLError(problem=f"is no {kind}: {node.value!r}", problem_mark=node.start_mark) from None
        if isinstance(value, int) and abs(value) > sys.maxsize:
            raise yaml.MarkedYAMLError(problem="the number is too large", problem_mark=node.start_mark)
        return value


def load(path: Path) -> Spec:
    """Read and validate the spec at `path`.

    Raises SpecError, with one line for each problem, before anything could have been started.
    """
    document = _read(path)
    if not isinstance(document, dict):
        raise SpecError(f"{path}: must be a mapping of keys such as name, provider and nodes")
    exists = document.get("provider") == "existing"
    kind = Existing if exists else Spec
    try:
        spec = kind.model_validate(_with_absolute_paths(document, path), context=exists)
    except ValidationError as error:
        problems = [line for problem in error.errors() for line in _told(problem, kind)]
        raise SpecError("\n".join(f"{path}: {line}" for line in problems)) from None
    if exists:
        return spec
    # os.path: a folder that may not be entered has no scripts either.
    missing = [script for script in SCRIPTS if not os.path.isfile(spec.scripts / script)]  # noqa: PTH113
    if missing:
        raise SpecError(f"{path}: scripts: {spec.scripts} has no {', '.join(missing)}")
    return spec


def _read(path: Path) -> Any:
    try:
        # A subclass of SafeLoader.
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
    except OSError as error:
        raise SpecError(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: is not UTF-8: {error.reason} at byte {error.start}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        raise SpecError(f"{path}: is not YAML: {where}: {_in_one_line(error.problem or error.context)}") from None
    except yaml.YAMLError as error:
        raise SpecError(f"{path}: is not YAML: {_in_one_line(error)}") from None
    except RecursionError:
        raise SpecError(f"{path}: is nested too deeply") from None


def _in_one_line(message: object) -> str:
    return " ".join(str(message).split())


def _with_absolute_paths(document: dict[Any, Any], path: Path) -> dict[Any, Any]:
    given = {key: value for key, value in document.items() if key in PATHS and isinstance(value, str)}
    try:
        return {**document, **{key: _absolute(value, path.parent) for key, value in given.items()}}
    except ValueError:  # characters that no path has: refused as no path at all
        return document


def _absolute(text: str, folder: Path) -> Path:
    return Path(os.path.realpath(folder / os.path.expanduser(text)))  # noqa: PTH111 # which a ~nobody does not stop


# What pydantic says of its own types, in the words of a spec.
_WORDS = {
    "missing": "is required and not there",
    "invalid_key": "the key {seen} must be text: put it in quotes",  # YAML takes on and no for true and false
    "string_too_short": "must not be empty",
    "model_type": "{seen} must be a mapping of keys",
    "dict_type": "{seen} must be a mapping",
    "list_type": "{seen} must be a list",
    "is_instance_of": "{seen} must be a path",
    "invalid-json-value": "{seen} must be text, a number, true, false, a list or a mapping",
    "recursion_loop": "must not contain itself",
}


def _told(problem: ErrorDetails, kind: type[Spec]) -> list[str]:
    """A problem that pydantic found, as lines for a person."""
    where = ".".join(_key(part) for part in problem["loc"])
    if problem["type"] == "inconsistent":
        return list(problem["ctx"]["problems"])
    judged = _judged(problem, kind)
    return [f"{where}: {judged}" if where else judged]


def _key(part: int | str) -> str:
    text = str(part)
    return text if text.isprintable() and len(text) <= _SHORT.maxstring else _SHORT.repr(text)


def _judged(problem: ErrorDetails, spec: type[Spec]) -> str:
    kind, seen, message = problem["type"], _seen(problem["input"]), problem["msg"]
    if kind in _WORDS:
        return _WORDS[kind].format(seen=seen)
    match kind:
        case "extra_forbidden":
            key, known = str(problem["loc"][-1]), list(_section_of(spec, problem["loc"]).model_fields)
            nearest = difflib.get_close_matches(key, known, n=1)
            return "is not a known key; " + (
                f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(known)}"
            )
        case "string_type":
            quotable = isinstance(problem["input"], int | float | datetime.date)
            return f"{seen} must be text" + (": put it in quotes" if quotable else "")
        case "overlap" | "expired":
            return message
        case _:
            return f"{seen} {_in_one_line(message).replace('Input should', 'must')}"


def _seen(value: object) -> str:
    if value is None:
        return "is empty: it"
    return str(value) if isinstance(value, datetime.date) else _SHORT.repr(value)


def _shortened() -> reprlib.Repr:
    short = reprlib.Repr()
    short.maxstring = short.maxother = 80
    return short


_SHORT = _shortened()


def _section_of(spec: type[Spec], where: tuple[int | str, ...]) -> type[BaseModel]:
    """The section that a key was looked for in; names and places inside a list or a map lead no deeper."""
    section: type[BaseModel] = spec
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
