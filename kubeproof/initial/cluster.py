"""Asks an existing cluster's API and machines for their facts, and writes the spec of that cluster."""

import datetime
import re
import tempfile
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client import ApiException
from kubernetes.client.models import V1Node
from urllib3.exceptions import HTTPError

from kubeproof.access import existing, ssh
from kubeproof.access.api import Api
from kubeproof.access.ssh import Unreachable
from kubeproof.initial import Impossible, Unanswered, as_yaml, name_like, refuse_to_overwrite, write
from kubeproof.process.progress import Progress
from kubeproof.spec import Existing, SpecError, load, wellknown
from kubeproof.spec.model import SCHEMA_VERSION
from kubeproof.spec.scripts import CONTROL_PLANE, WORKER

SERVICES = ("kubelet", "containerd")  # systemd runs them on every machine
# Components by the label of their pods in kube-system, as kubeadm and Calico's manifest set it.
PODS = {
    "etcd": f"{wellknown.COMPONENT_LABEL}=etcd",
    "kube-proxy": wellknown.KUBE_PROXY_PODS,
    "coredns": wellknown.COREDNS_PODS,
    "calico": wellknown.CALICO_NODE_PODS,
}

Sizes = Mapping[str, Mapping[str, int]]


def write_spec(
    kubeconfig: Path, ssh_config: Path | None, output: Path, progress: Progress, sizes: Sizes | None = None
) -> None:
    """Write the spec of the cluster in `kubeconfig`; `ssh_config` tells how to enter its machines by node name.

    `sizes` contains known sizes of machines by node name: cpus, and memory_mb in MiB.
    Values that nothing reports are left out. Nothing is changed. Raises Impossible or Unanswered.
    """
    refuse_to_overwrite(output)
    spec = _entry(kubeconfig, ssh_config)
    with progress.task("asking the API"):
        try:
            spec |= _reported(_api(spec), sizes or {})
        except (Unreachable, ApiException, HTTPError, OSError) as error:
            raise Unanswered(" ".join(str(error).split())) from None
    if ssh_config:
        with progress.task("asking the machines"):
            spec["components"] = [*_services(spec["nodes"], ssh_config), *spec["components"]]
    today = datetime.datetime.now(datetime.UTC).date()
    heading = (
        f"# Written by `kubeproof init` from the cluster's state on {today}. Change it to the state that you want.\n"
        "# Keys that are left out are not judged; the default spec explains each key.\n\n"
    )
    write(output, heading + as_yaml(spec))


def _entry(kubeconfig: Path, ssh_config: Path | None) -> dict[str, Any]:
    """The keys that every spec of an existing cluster states."""
    try:
        context = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))["contexts"][0]["context"]
        name = name_like(str(context["cluster"]))
    except OSError as error:
        raise Impossible(f"{kubeconfig} can't be read: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, yaml.YAMLError):
        raise Impossible(f"{kubeconfig} is no kubeconfig with a context") from None
    files = {"kubeconfig": kubeconfig, "ssh_config": ssh_config}
    paths = {key: str(file.resolve()) for key, file in files.items() if file}
    return {"schema_version": SCHEMA_VERSION, "name": name, "provider": "existing", **paths}


def _api(entry: dict[str, Any]) -> Api:
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "spec.yaml"
        draft.write_text(as_yaml(entry))
        try:
            spec = load(draft)
        except SpecError as error:
            raise Impossible(str(error).replace(f"{draft}: ", "")) from None
        assert isinstance(spec, Existing)
        return Api(existing.enter(spec, draft).kubeconfig)


def _reported(api: Api, sizes: Sizes) -> dict[str, Any]:
    kubeadm = _document(api, "kubeadm-config", "ClusterConfiguration")
    networking = (kubeadm or {}).get("networking", {})
    components = [name for name, selector in PODS.items() if api.pods(selector)]
    pools = _pools(api) if "calico" in components else []
    networks = {
        "pod": networking.get("podSubnet") or _only([pool["cidr"] for pool in pools]),
        "service": networking.get("serviceSubnet"),
    }
    sections = {
        "kubernetes": {
            "version": api.version.get_code().git_version.removeprefix("v"),
            "dns_domain": networking.get("dnsDomain"),
            "proxy_mode": _proxy_mode(api) if "kube-proxy" in components else None,
        },
        # A dual stack states two networks, with a comma: a spec has no key for the second one.
        "networks": {key: value for key, value in networks.items() if value and not re.search("[,:]", value)},
        "calico": _calico(api, pools) if "calico" in components else {},
    }
    stated = {name: {key: value for key, value in section.items() if value} for name, section in sections.items()}
    return {
        "components": [*(["kubeadm"] if kubeadm else []), *components],
        **{name: section for name, section in stated.items() if section},
        "nodes": [_node(node, sizes) for node in api.core.list_node().items],
    }


def _only(values: list[str]) -> str | None:
    return values[0] if len(values) == 1 else None


def _document(api: Api, config_map: str, key: str) -> dict[str, Any] | None:
    """A YAML document in a config map of kube-system; None if it is absent or may not be read."""
    try:
        document = yaml.safe_load(api.core.read_namespaced_config_map(config_map, wellknown.SYSTEM_NAMESPACE).data[key])
    except (ApiException, KeyError, TypeError):
        return None
    return document if isinstance(document, dict) else None


def _proxy_mode(api: Api) -> str | None:
    config = _document(api, "kube-proxy", "config.conf")
    # An empty mode means Linux's default: KubeProxyConfiguration's documentation.
    return None if config is None else config.get("mode") or "iptables"


def _pools(api: Api) -> list[dict[str, Any]]:
    """Calico's IPv4 pools; an empty list if they may not be read."""
    try:
        pools = api.custom.list_cluster_custom_object("crd.projectcalico.org", "v1", "ippools")["items"]
    except ApiException:
        return []
    return [pool["spec"] for pool in pools if ":" not in pool["spec"]["cidr"]]


def _calico(api: Api, pools: list[dict[str, Any]]) -> dict[str, str | None]:
    image = api.pods(PODS["calico"])[0].spec.containers[0].image
    version = re.search(r":v(\d+\.\d+\.\d+)$", image)
    modes = {pool["vxlanMode"] for pool in pools if pool["ipipMode"] == "Never"}
    return {"version": version[1] if version else None, "encapsulation": _only([*modes])}


def _node(node: V1Node, sizes: Sizes) -> dict[str, Any]:
    name = node.metadata.name
    internal = [address.address for address in node.status.addresses if address.type == "InternalIP"]
    addresses = [str(IPv4Address(address)) for address in internal if ":" not in address]
    role = CONTROL_PLANE if wellknown.CONTROL_PLANE_LABEL in (node.metadata.labels or {}) else WORKER
    return {"name": name, "role": role, **({"address": addresses[0]} if addresses else {}), **sizes.get(name, {})}


def _services(nodes: list[dict[str, Any]], ssh_config: Path) -> list[str]:
    """The members of SERVICES that run on every machine."""
    try:
        hosts = [ssh.enter(node["name"], ssh_config) for node in nodes]
    except Unreachable as error:
        raise Unanswered(f"{error}. Without --ssh-config, kubeproof judges only the API") from None
    ask = "systemctl is-active --quiet"
    return [service for service in SERVICES if all(host.run(f"{ask} {service}").rc == 0 for host in hosts)]
