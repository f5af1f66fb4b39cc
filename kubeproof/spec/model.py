"""A spec and its sections: one kind for a cluster that Vagrant makes, one for an existing cluster."""

import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationInfo, model_validator

from kubeproof.spec.needs import is_stated
from kubeproof.spec.scripts import CONTROL_PLANE, WORKER, Role
from kubeproof.spec.values import (
    ABSENT,
    Address,
    Authority,
    Component,
    Domain,
    Duration,
    Name,
    Network,
    NodeName,
    Optional,
    Text,
    Token,
    Url,
    Version,
)

T = TypeVar("T")
SCHEMA_VERSION = 2  # version 1 has no key for it, and no `extends`
NETWORK_PLUGINS = ("calico", "flannel")  # a cluster has one of them
ETHERNET_MTU, VXLAN_HEADER = 1500, 50  # bytes; RFC 7348


class NotStated(LookupError):
    """The spec of an existing cluster leaves out a value; a check that reads it must name it in its `needs`."""


def stated(value: T | None) -> T:
    """The value of a key that must be stated: the check's `needs` or the provider requires it.

    Raises NotStated if it is None.
    """
    if value is None:
        raise NotStated("the spec leaves out a value that is read: a check names it in @pytest.mark.needs")
    return value


class Section(BaseModel):
    """A mapping of the spec; unknown keys are refused.

    A field without a default is always required. A cluster that Vagrant makes also requires the others, except
    `choices`; the spec of an existing cluster may leave them out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    choices: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _require(cls, document: Any, info: ValidationInfo) -> Any:
        """Put ABSENT in place of missing keys if the context requires all keys; validation then refuses each."""
        if not info.context or not isinstance(document, dict):
            return document
        return {**dict.fromkeys(cls.model_fields.keys() - cls.choices, ABSENT), **document}


class Kubernetes(Section):
    """The release of Kubernetes, and how machines join it."""

    version: Optional[Version] = None
    bootstrap_token: Optional[Token] = None
    bootstrap_token_ttl: Optional[Duration] = None
    dns_domain: Optional[Domain] = None
    coredns_spread: Optional[bool] = None
    proxy_mode: Optional[Literal["iptables", "ipvs", "nftables"]] = None


class Networks(Section):
    """The three address ranges of a cluster."""

    node: Optional[Network] = None
    pod: Optional[Network] = None
    service: Optional[Network] = None


class Calico(Section):
    """Calico's release, and when it wraps pod traffic in VXLAN."""

    version: Optional[Version] = None
    encapsulation: Optional[Literal["CrossSubnet", "Always", "Never"]] = None

    @property
    def wraps(self) -> bool | None:
        """Whether pod traffic is wrapped in VXLAN anywhere; None if that is not stated."""
        return self.encapsulation and self.encapsulation != "Never"


class Flannel(Section):
    """Flannel's release, and how pod traffic travels between machines: in VXLAN, or by plain routes."""

    version: Optional[Version] = None
    backend: Optional[Literal["vxlan", "host-gw"]] = None

    @property
    def wraps(self) -> bool | None:
        """Whether pod traffic is wrapped in VXLAN; None if that is not stated."""
        return self.backend and self.backend == "vxlan"


class Node(Section):
    """One machine: memory in MiB, ssh port on the host's loopback."""

    name: NodeName
    role: Optional[Role] = None
    address: Optional[Address] = None
    cpus: Optional[Annotated[int, Field(ge=1)]] = None
    memory_mb: Optional[Annotated[int, Field(ge=512)]] = None
    ssh_port: Optional[Annotated[int, Field(ge=1024, le=65535)]] = None


class Machine(Section):
    """The state that the scripts give every machine."""

    selinux: Optional[Literal["permissive", "disabled", "enforcing"]] = None
    kernel_modules: list[Text] = []
    sysctls: dict[Text, int] = {}
    programs: list[Text] = []
    held_packages: list[Text] = []
    shell_alias: Optional[Text] = None
    admin_scripts: Optional[Text] = None


class Repository(Section):
    """A package repository as apt or dnf names it, and the URL of its signing key, if it is signed."""

    source: Text
    key: Text | None = None


class System(Section):
    """The differences between kinds of machines; `box` is a Vagrant box, and null in the lab, which builds its own."""

    box: Text | None = None
    private_interface: Optional[Text] = None
    default_interface: Optional[Text] = None
    cgroup_version: Literal[1, 2] | None = None
    nameservers: list[Address] = []
    outside_names: dict[Text, Address] = {}
    package_repositories: dict[Name, Repository] = {}
    runtime_package: Optional[Text] = None
    admin_packages: list[Text] = []
    admin_scripts: Optional[Text] = None
    network_manifest: Optional[Text] = None
    ignored_preflight: list[Text] = []
    kubeadm_overrides: list[dict[Text, JsonValue]] = []
    not_applicable: dict[Text, Text] = {}


class Lab(Section):
    """Where the embedded lab gets the cluster's programs, and through which mirror and proxy."""

    source: Literal["auto", "modules", "release"] = "auto"
    mirror: Url | None = None
    proxy: Url | None = None
    ca: Authority | None = None


class Experiments(Section):
    """The margins for judging a cluster with failed parts."""

    margin_seconds: Optional[Annotated[int, Field(ge=1)]] = None


class AcceptedRisk(Section):
    """A red check that the cluster's owner accepts for a reason, up to and including a day."""

    reason: Text
    until: Annotated[datetime.date, Field(strict=False)]  # JSON has no dates, only text

    @property
    def has_run_out(self) -> bool:
        """Whether that day is over in UTC."""
        return self.until < datetime.datetime.now(datetime.UTC).date()


class Spec(Section):
    """A whole cluster, which Vagrant makes."""

    choices = frozenset({*NETWORK_PLUGINS, "schema_version", "accepted_risks"})

    schema_version: Annotated[int, Field(ge=1, le=SCHEMA_VERSION)] = 1
    name: Name
    provider: Literal["docker", "virtualbox", "libvirt", "existing"]
    scripts: Optional[Path] = None
    components: list[Component] = []
    kubernetes: Kubernetes = Kubernetes()
    networks: Networks = Networks()
    calico: Optional[Calico] = None
    flannel: Optional[Flannel] = None
    nodes: list[Node] = []
    machine: Machine = Machine()
    traffic_image: Optional[Text] = None
    experiments: Experiments = Experiments()
    lab: Lab = Lab()
    providers: dict[Text, Text] = {}
    systems: dict[Text, System] = {}
    accepted_risks: dict[Text, AcceptedRisk] = {}

    @property
    def control_plane(self) -> Node:
        """The first machine that runs the API server; raises NotStated if there is none."""
        if not self.control_planes:
            raise NotStated("the spec states no node whose role is control-plane")
        return self.control_planes[0]

    @property
    def control_planes(self) -> list[Node]:
        """The machines that run the API server, in the spec's order."""
        return [node for node in self.nodes if node.role == CONTROL_PLANE]

    @property
    def workers(self) -> list[Node]:
        """The machines that pods are scheduled to, in the spec's order."""
        return [node for node in self.nodes if node.role == WORKER]

    @property
    def ssh(self) -> bool:
        """Whether ssh reaches the machines."""
        return True

    @property
    def left_out(self) -> dict[str, str]:
        """The checks that these machines can't answer, with the reasons."""
        return self.machines.not_applicable

    def states(self, path: str) -> bool:
        """Whether the spec has a value at `path`, such as networks.pod or components.calico.

        A list of sections has one if each section has. Raises AttributeError if no spec has such a key.
        """
        return is_stated(self, path)

    @property
    def network_plugin(self) -> str | None:
        """The member of NETWORK_PLUGINS that the cluster runs; None if it runs another one, or if that is unknown."""
        plugins = (name for name in NETWORK_PLUGINS if getattr(self, name) or name in self.components)
        return next(plugins, None)

    @property
    def network_version(self) -> str | None:
        """The release of the network plugin; None if it is not stated."""
        plugin = self.calico or self.flannel
        return plugin.version if plugin else None

    @property
    def pod_mtu(self) -> int | None:
        """The bytes of a pod's largest packet: Ethernet's MTU, less VXLAN's header if it is used; None if unknown."""
        plugin = self.calico or self.flannel
        if plugin is None or plugin.wraps is None:
            return None
        return ETHERNET_MTU - VXLAN_HEADER if plugin.wraps else ETHERNET_MTU

    @property
    def flannel_device(self) -> str | None:
        """The interface that wraps Flannel's traffic, named after its VNI; None if Flannel creates none."""
        return "flannel.1" if self.flannel and self.flannel.wraps else None

    @property
    def machines(self) -> System:
        """The system of the chosen provider's machines."""
        return self.systems[self.providers[self.provider]]

    def node(self, name: str) -> Node:
        """The node of that name; raises KeyError if the spec has none."""
        found = next((node for node in self.nodes if node.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

    def document(self) -> str:
        """The spec as JSON without unstated keys; load() accepts it from any folder."""
        return self.model_dump_json(exclude_unset=True)


class Existing(Spec):
    """An existing cluster, which a run does not make or destroy; only the stated facts are judged."""

    kubeconfig: Path
    ssh_config: Path | None = None
    system: System = System()
    not_applicable: dict[Text, Text] = {}

    @property
    def machines(self) -> System:
        """The system of the cluster's machines."""
        return self.system

    @property
    def ssh(self) -> bool:
        """Whether ssh reaches the machines; without an ssh config, only the API is judged."""
        return self.ssh_config is not None

    @property
    def left_out(self) -> dict[str, str]:
        """The checks that this cluster can't answer, with the reasons."""
        return self.not_applicable
