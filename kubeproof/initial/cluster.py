"""What a cluster that exists is, as its API and its machines tell it, and the spec of that."""

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
from testinfra.host import Host
from urllib3.exceptions import HTTPError

from kubeproof.access import existing, machine
from kubeproof.access.api import Api
from kubeproof.access.machine import Unreachable
from kubeproof.initial import Impossible, Unanswered, name_like, refuse_to_overwrite, write
from kubeproof.process.progress import Progress
from kubeproof.spec import Existing, SpecError, load
from kubeproof.spec.wellknown import SYSTEM_NAMESPACE

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
SERVICES = ("kubelet", "containerd")  # of systemd's, on every machine
# Components by the label of their pods in kube-system, as kubeadm and Calico's manifest give them.
PODS = {
    "etcd": "component=etcd",
    "kube-proxy": "k8s-app=kube-proxy",
    "coredns": "k8s-app=kube-dns",
    "calico": "k8s-app=calico-node",
}


def write_spec(
    kubeconfig: Path,
    ssh_config: Path | None,
    output: Path,
    progress: Progress,
    sizes: Mapping[str, Mapping[str, int]] | None = None,
) -> None:
    """Write the spec of the cluster that `kubeconfig` names, whose machines are entered by `ssh_config`, if any.

    `sizes` are what is known of the machines by name: cpus, and memory_mb in MiB.
    Nothing is changed. Raises Impossible or Unanswered.
    """
    refuse_to_overwrite(output)
    known = _entry(kubeconfig, ssh_config)
    with progress.task("asking the API"):
        try:
            api = _api(known)
            known |= _told(api, sizes or {})
        except (Unreachable, ApiException, HTTPError, OSError) as error:
            raise Unanswered(" ".join(str(error).split())) from None
    if ssh_config:
        with progress.task("asking the machines"):
            known["components"] = [*_services(known["nodes"], ssh_config), *known["components"]]
    now = datetime.datetime.now(datetime.UTC)
    heading = (
        f"# Written by kubeproof on {now:%Y-%m-%d} as the cluster was then: read it, and say what it is to be.\n"
        "# What is not stated is not judged; the default spec tells every key.\n\n"
    )
    body = yaml.safe_dump(known, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)
    write(output, heading + body)


def _entry(kubeconfig: Path, ssh_config: Path | None) -> dict[str, Any]:
    """The least that a spec states."""
    try:
        context = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))["contexts"][0]["context"]
        name = name_like(str(context["cluster"]))
    except OSError as error:
        raise Impossible(f"{kubeconfig} can't be read: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, yaml.YAMLError):
        raise Impossible(f"{kubeconfig} is no kubeconfig with a context") from None
    entry = {"name": name, "provider": "existing", "kubeconfig": str(kubeconfig.resolve())}
    return {**entry, "ssh_config": str(ssh_config.resolve())} if ssh_config else entry


def _api(entry: dict[str, Any]) -> Api:
    with tempfile.TemporaryDirectory() as place:
        draft = Path(place) / "spec.yaml"
        draft.write_text(yaml.safe_dump(entry))
        try:
            spec = load(draft)
        except SpecError as error:
            raise Impossible(str(error).replace(f"{draft}: ", "")) from None
        assert isinstance(spec, Existing)
        return Api(existing.enter(spec, draft).kubeconfig)


def _told(api: Api, sizes: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    kubeadm = _document(api, "kubeadm-config", "ClusterConfiguration")
    networking = (kubeadm or {}).get("networking", {})
    there = {component for component, selector in PODS.items() if api.pods(selector)}
    pools = _pools(api) if "calico" in there else []
    networks = {
        "pod": networking.get("podSubnet") or _only([pool["cidr"] for pool in pools]),
        "service": networking.get("serviceSubnet"),
    }
    kubernetes = {
        "version": api.version.get_code().git_version.removeprefix("v"),
        "dns_domain": networking.get("dnsDomain"),
        "proxy_mode": _proxy_mode(api) if "kube-proxy" in there else None,
    }
    known = {
        "components": [*(["kubeadm"] if kubeadm else []), *[name for name in PODS if name in there]],
        "kubernetes": _stated(kubernetes),
        "networks": _stated({key: value for key, value in networks.items() if _is_one_network(value)}),
        "calico": _calico(api, pools) if "calico" in there else {},
        "nodes": [_node(one, sizes) for one in api.core.list_node().items],
    }
    return {key: value for key, value in known.items() if value or key in ("components", "nodes")}


def _stated(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}


def _is_one_network(value: str | None) -> bool:
    """Two, with a comma, are a dual stack's: no key has room for them."""
    return bool(value) and "," not in str(value) and ":" not in str(value)


def _only(values: list[str]) -> str | None:
    return values[0] if len(values) == 1 else None


def _document(api: Api, config_map: str, key: str) -> dict[str, Any] | None:
    """A YAML document of a config map in kube-system; None where there is none, or nobody may read it."""
    try:
        document = yaml.safe_load(api.core.read_namespaced_config_map(config_map, SYSTEM_NAMESPACE).data[key])
    except (ApiException, KeyError, TypeError):
        return None
    return document if isinstance(document, dict) else None


def _proxy_mode(api: Api) -> str | None:
    config = _document(api, "kube-proxy", "config.conf")
    # An empty mode is Linux's default: KubeProxyConfiguration's documentation.
    return None if config is None else config.get("mode") or "iptables"


def _pools(api: Api) -> list[dict[str, Any]]:
    """Calico's IPv4 pools; none where nobody may read them."""
    try:
        pools = api.custom.list_cluster_custom_object("crd.projectcalico.org", "v1", "ippools")["items"]
    except ApiException:
        return []
    return [pool["spec"] for pool in pools if ":" not in pool["spec"]["cidr"]]


def _calico(api: Api, pools: list[dict[str, Any]]) -> dict[str, Any]:
    image = api.pods(PODS["calico"])[0].spec.containers[0].image
    version = re.search(r":v(\d+\.\d+\.\d+)$", image)
    modes = {pool["vxlanMode"] for pool in pools if pool["ipipMode"] == "Never"}
    return _stated({"version": version[1] if version else None, "encapsulation": _only([*modes])})


def _node(one: V1Node, sizes: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    name = one.metadata.name
    inside = [address.address for address in one.status.addresses if address.type == "InternalIP"]
    addresses = [address for address in inside if ":" not in address]
    role = "control-plane" if CONTROL_PLANE in (one.metadata.labels or {}) else "worker"
    address = {"address": str(IPv4Address(addresses[0]))} if addresses else {}
    return {"name": name, "role": role, **address, **sizes.get(name, {})}


def _services(nodes: list[dict[str, Any]], ssh_config: Path) -> list[str]:
    """Those of SERVICES that run on every machine."""
    try:
        hosts = [machine.enter(one["name"], ssh_config) for one in nodes]
    except Unreachable as error:
        raise Unanswered(f"{error}. Without --ssh-config, the API alone is judged") from None
    return [name for name in SERVICES if all(_runs(host, name) for host in hosts)]


def _runs(host: Host, service: str) -> bool:
    return bool(host.run(f"systemctl is-active --quiet {service}").rc == 0)
