"""A spec is refused, with the key, the value and what would be right, before anything could start."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeproof import paths
from kubeproof.spec import SpecError, load

Change = Callable[[dict[str, Any]], object]


def changed(tmp_path: Path, change: Change) -> Path:
    """The default spec with one change, in a file of its own."""
    document = yaml.safe_load(paths.DEFAULT_SPEC.read_text())
    document["scripts"] = str(paths.DEFAULT_SPEC.parent.parent)
    change(document)
    file = tmp_path / "spec.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


def test_the_default_spec_is_the_books_cluster() -> None:
    """Names, addresses, sizes and ports are those of the chapter."""
    spec = load(paths.DEFAULT_SPEC)
    assert [(n.name, str(n.address), n.cpus, n.memory_mb, n.ssh_port) for n in spec.nodes] == [
        ("m-k8s", "192.168.1.10", 2, 3072, 60010),
        ("w1-k8s", "192.168.1.101", 1, 2560, 60101),
        ("w2-k8s", "192.168.1.102", 1, 2560, 60102),
        ("w3-k8s", "192.168.1.103", 1, 2560, 60103),
    ]
    assert (str(spec.networks.pod), spec.kubernetes.bootstrap_token) == ("172.16.0.0/16", "123456.1234567890123456")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(nodse=[]), "nodse: is not a known key; did you mean 'nodes'?"),
        (lambda d: d.pop("calico"), "calico: is required and not there"),
        (lambda d: d["kubernetes"].update(version=1.36), "kubernetes.version: 1.36 must be text: put it in quotes"),
        (lambda d: d["kubernetes"].update(version="1.36"), "kubernetes.version: '1.36' does not match"),
        (lambda d: d["kubernetes"].update(bootstrap_token="secret"), "bootstrap_token: 'secret' does not match"),
        (lambda d: d["networks"].update(pod="172.16.1.0/16"), "has host bits set: the network is 172.16.0.0/16"),
        (lambda d: d["networks"].update(pod="192.168.0.0/16"), "overlaps pod 192.168.0.0/16"),
        (lambda d: d["networks"].update(pod="pods"), "networks.pod: 'pods' must be an IPv4 network"),
        (lambda d: d["nodes"][1].update(name="m-k8s"), "name m-k8s is used by more than one node"),
        (lambda d: d["nodes"][1].update(address="192.168.1.10"), "address 192.168.1.10 is used by more than one node"),
        (lambda d: d["nodes"][1].update(address="10.0.0.1"), "w1-k8s's address 10.0.0.1 is outside networks.node"),
        (lambda d: d["nodes"][1].update(address="192.168.1.1"), "192.168.1.1 is the gateway's"),
        (lambda d: d["nodes"][1].update(role="control-plane"), "exactly one must have the role control-plane"),
        (lambda d: d["nodes"][1].update(cpus=0), "nodes.1.cpus: 0 input should be greater than or equal to 1"),
        (lambda d: d.update(provider="vmware"), "provider: 'vmware' input should be 'docker'"),
        (
            lambda d: d["accepted_risks"]["token_expires"].update(until="2020-01-01"),
            "accepted_risks.token_expires.until: '2020-01-01' input should be a valid date",
        ),
        (lambda d: d.update(scripts="/nowhere"), "scripts: /nowhere has no step.sh"),
    ],
)
def test_a_bad_spec_is_refused(tmp_path: Path, change: Change, message: str) -> None:
    """The message names what is wrong, and it is the only one."""
    with pytest.raises(SpecError) as refused:
        load(changed(tmp_path, change))
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_an_expired_risk_is_refused(tmp_path: Path) -> None:
    """A risk is accepted until a day, and not a day longer."""
    file = changed(tmp_path, lambda _: None)
    file.write_text(file.read_text().replace("2027-12-31", "2020-12-31"))
    with pytest.raises(SpecError, match="was accepted until 2020-12-31"):
        load(file)


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    """YAML alone would keep the last one and say nothing."""
    file = tmp_path / "spec.yaml"
    file.write_text("name: one\nname: two\n")
    with pytest.raises(SpecError, match="the key 'name' is given twice"):
        load(file)


@pytest.mark.parametrize("content", ["", "[]", "name: [", "\x00"])
def test_what_is_no_spec_at_all_is_refused(tmp_path: Path, content: str) -> None:
    """Never a traceback."""
    file = tmp_path / "spec.yaml"
    file.write_text(content)
    with pytest.raises(SpecError):
        load(file)
