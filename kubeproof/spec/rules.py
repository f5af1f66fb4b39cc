"""The rules between the values of a spec; a sentence describes each violation."""

import itertools
import os
import re
from collections.abc import Iterator

import yaml

from kubeproof.spec.model import NETWORK_PLUGINS, Existing, Spec, stated
from kubeproof.spec.scripts import CONTROL_PLANE, SCRIPTS

# kube-controller-manager's default --node-cidr-mask-size: the size of a node's part of the pod network.
NODE_RANGE_PREFIX = 24
SMALLEST_NODE_NETWORK_PREFIX = 30  # the network, its gateway, one machine, broadcast


def problems(spec: Spec) -> Iterator[str]:
    """A sentence for each rule that a spec of valid values violates."""
    yield from _repeated(spec, "name", "address", "ssh_port")
    yield from _overlaps(spec)
    if isinstance(spec, Existing):
        yield from _problems_of_existing(spec)
    else:
        yield from _problems_of_made(spec)


def _problems_of_made(spec: Spec) -> Iterator[str]:
    if not spec.nodes:
        yield "nodes: must list at least one machine"
        return
    yield from _system_problems(spec)
    yield from _network_plugin_problems(spec)
    if len(spec.control_planes) != 1:
        yield f"nodes: exactly one must have the role {CONTROL_PLANE}"
    yield from (f"nodes: {node.name}: a machine's name has no dots" for node in spec.nodes if "." in node.name)
    node_network, pod_network = stated(spec.networks.node), stated(spec.networks.pod)
    if node_network.prefixlen > SMALLEST_NODE_NETWORK_PREFIX:
        yield f"networks.node: {node_network} has no room for a gateway and a machine"
    else:
        yield from _misplaced(spec)
    if pod_network.num_addresses < len(spec.nodes) << (32 - NODE_RANGE_PREFIX):
        yield f"networks.pod: {pod_network} has no room for a /{NODE_RANGE_PREFIX} for each of {len(spec.nodes)} nodes"
    scripts = stated(spec.scripts)
    # os.path: pathlib raises for a folder without permission to enter, which counts as empty here.
    absent = [script for script in SCRIPTS if not os.path.isfile(scripts / script)]  # noqa: PTH113
    if absent:
        yield f"scripts: {scripts} has no {', '.join(absent)}"


def _repeated(spec: Spec, *keys: str) -> Iterator[str]:
    """The values that several nodes share, though they must be unique."""
    for key in keys:
        values = [value for node in spec.nodes if (value := getattr(node, key)) is not None]
        for value in dict.fromkeys(value for value in values if values.count(value) > 1):
            yield f"nodes: {key} {value} is used by more than one node"


def _overlaps(spec: Spec) -> Iterator[str]:
    ranges = [(name, network) for name, network in spec.networks if network]
    for (first_key, first), (second_key, second) in itertools.combinations(ranges, 2):
        if first.overlaps(second):
            yield f"networks: {first_key} {first} overlaps {second_key} {second}: the three networks must be apart"


def _system_problems(spec: Spec) -> Iterator[str]:
    if spec.provider not in spec.providers:
        yield f"provider: {spec.provider!r} is no key of providers ({', '.join(spec.providers)})"
    elif spec.providers[spec.provider] not in spec.systems:
        system = spec.providers[spec.provider]
        yield f"providers.{spec.provider}: {system!r} has no section under systems ({', '.join(spec.systems)})"
    else:
        yield from _other_releases(spec)


def _other_releases(spec: Spec) -> Iterator[str]:
    """The settings of the machines' system that fit another provider or another release."""
    system, where, version = spec.machines, f"systems.{spec.providers[spec.provider]}", stated(spec.kubernetes.version)
    if (system.box is None) != (spec.provider == "docker"):
        yield f"{where}.box: must be {'null: the lab builds its own' if system.box else 'the name of a Vagrant box'}"
    for name, repository in system.package_repositories.items():
        for text in filter(None, (repository.source, repository.key)):
            named = re.search(r"//pkgs\.k8s\.io/core:/stable:/v([^/]+)/", text)
            if named and not version.startswith(f"{named[1]}."):
                yield (
                    f"{where}.package_repositories.{name}: {text} is of Kubernetes {named[1]}, "
                    f"but kubernetes.version is {version}"
                )
    released = re.search(r"//.*/v([0-9.]+)/", stated(system.network_manifest))
    for plugin in filter(spec.states, NETWORK_PLUGINS):
        plugin_version = getattr(spec, plugin).version
        if released and released[1] != plugin_version:
            yield f"{where}.network_manifest: is of {released[1]}, but {plugin}.version is {plugin_version}"


def _network_plugin_problems(spec: Spec) -> Iterator[str]:
    present = [name for name in NETWORK_PLUGINS if spec.states(name)]
    if not present:
        yield f"{' or '.join(NETWORK_PLUGINS)}: one of them is required, for the pods' network"
    elif len(present) > 1:
        yield f"{' and '.join(present)}: a cluster has one CNI plugin: leave all but one out"
    for name in NETWORK_PLUGINS:
        if name in spec.components and name not in present:
            yield f"components: {name} is listed, but there is no section {name}"


def _misplaced(spec: Spec) -> Iterator[str]:
    """The nodes with an address that no machine of the node network can have."""
    network = stated(spec.networks.node)
    # The provider's own end of the network has the first host address.
    taken = {network[0]: "the network's own", network[1]: "the gateway's", network[-1]: "for broadcasts"}
    for node in spec.nodes:
        address = stated(node.address)
        if address not in network:
            inside = [name for name, other in spec.networks if address in other]
            where = f", inside networks.{inside[0]}" if inside else ""
            yield f"nodes: {node.name}'s address {address} is outside networks.node {network}{where}"
        elif address in taken:
            yield f"nodes: {node.name}'s address {address} is {taken[address]} in networks.node {network}"


def _problems_of_existing(spec: Existing) -> Iterator[str]:
    for key in ("scripts", "providers", "systems"):
        if spec.states(key):
            yield f"{key}: is for clusters that Vagrant makes; this one exists"
    files = {"kubeconfig": spec.kubeconfig, "ssh_config": spec.ssh_config}
    absent = {key: file for key, file in files.items() if file and not os.path.isfile(file)}  # noqa: PTH113 # as above
    yield from (f"{key}: {file} does not exist" for key, file in absent.items())
    if "kubeconfig" not in absent:
        yield from _ambiguous(spec)


def _ambiguous(spec: Existing) -> Iterator[str]:
    """A kubeconfig with several contexts: its current context could change between two runs."""
    try:
        contexts = yaml.safe_load(spec.kubeconfig.read_text(encoding="utf-8"))["contexts"]
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
        yield f"kubeconfig: {spec.kubeconfig} can't be read as one"
        return
    if len(contexts) != 1:
        yield (
            f"kubeconfig: {spec.kubeconfig} has {len(contexts)} contexts, and must have one: make a file of that "
            "cluster alone with `kubectl config view --minify --flatten --context=NAME > FILE`"
        )
