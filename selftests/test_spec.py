"""A spec is refused, with the key, the value and what would be right, before anything could start."""

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeproof.lab import daemon
from kubeproof.process import paths
from kubeproof.spec import SpecError, load
from selftests.conftest import BUNDLED

Change = Callable[[dict[str, Any]], object]


def changed(tmp_path: Path, change: Change) -> Path:
    """The default spec with one change, in a file of its own."""
    document = yaml.safe_load(paths.DEFAULT_SPEC.read_text())
    document["scripts"] = str(paths.DEFAULT_SPEC.parent.parent)
    change(document)
    file = tmp_path / "spec.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


def on_flannel(document: dict[str, Any], **changes: object) -> dict[str, Any]:
    """The document, whose pods' network is Flannel's now."""
    del document["calico"]
    document["components"].remove("calico")
    document["flannel"] = {"version": "0.28.10", "backend": "vxlan", **changes}
    return document


def test_every_bundled_spec_is_accepted(bundled: Path) -> None:
    """By the suite and by the lab that is to be made for it."""
    daemon.refuse_impossible(load(bundled), bundled)


def test_bundled_specs_share_a_cni_plugin_or_a_release_at_most() -> None:
    """Names, addresses, networks and ports are each one's own: what is hard-wired is red with one of them."""
    specs = [load(file) for file in BUNDLED]
    assert len(specs) > 2
    for one, other in itertools.combinations(specs, 2):
        assert one.name != other.name
        assert one.kubernetes.bootstrap_token != other.kubernetes.bootstrap_token
        assert {network for _, network in one.networks} & {network for _, network in other.networks} == set()
        for key in ("name", "address", "ssh_port"):
            assert {getattr(node, key) for node in one.nodes} & {getattr(node, key) for node in other.nodes} == set()


@pytest.mark.parametrize(("backend", "mtu", "device"), [("vxlan", 1450, True), ("host-gw", 1500, False)])
def test_flannels_backend_says_what_is_left_of_a_frame(tmp_path: Path, backend: str, mtu: int, device: bool) -> None:
    """VXLAN takes 50 bytes and has an interface of its own; routes take none."""
    spec = load(changed(tmp_path, lambda document: on_flannel(document, backend=backend)))
    assert (spec.network_plugin, spec.pod_mtu, spec.states("flannel_device")) == ("flannel", mtu, device)


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
        (
            lambda d: (d.pop("calico"), d["components"].remove("calico")),
            "calico or flannel: one of them is required, for the pods' network",
        ),
        (
            lambda d: d.update(flannel={"version": "3.28.5", "backend": "vxlan"}),
            "calico and flannel: a cluster has one CNI plugin: leave all but one out",
        ),
        (
            lambda d: d.update(flannel={"version": "0.28.10", "backend": "vxlan"}, calico=None),
            "calico: is empty: give it a value, or leave the key out",
        ),
        (
            lambda d: d["components"].append("flannel"),
            "components: flannel is listed, but there is no section flannel",
        ),
        (lambda d: on_flannel(d, backend="udp"), "flannel.backend: 'udp' must be 'vxlan' or 'host-gw'"),
        (lambda d: on_flannel(d, encapsulation="Always"), "flannel.encapsulation: is not a known key; known: version,"),
        (lambda d: on_flannel(d, version=0.28), "flannel.version: 0.28 must be text: put it in quotes"),
        (
            lambda d: on_flannel(d)["components"].append("calico"),
            "components: calico is listed, but there is no section calico",
        ),
        (
            lambda d: on_flannel(d)["systems"]["lab"].update(
                network_manifest="https://github.com/flannel-io/flannel/releases/download/v0.27.0/kube-flannel.yml"
            ),
            "systems.lab.network_manifest: is of 0.27.0, but flannel.version is 0.28.10",
        ),
        (lambda d: d["kubernetes"].update(version=1.36), "kubernetes.version: 1.36 must be text: put it in quotes"),
        (
            lambda d: d["kubernetes"].update(version="1.36"),
            "kubernetes.version: '1.36' must be a whole version such as 1.36.3",
        ),
        (
            lambda d: d["kubernetes"].update(bootstrap_token="secret"),
            "bootstrap_token: 'secret' must be a token such as",
        ),
        (lambda d: d["networks"].update(pod="172.16.1.0/16"), "has host bits set: the network is 172.16.0.0/16"),
        (lambda d: d["networks"].update(pod="192.168.0.0/16"), "overlaps pod 192.168.0.0/16"),
        (lambda d: d["networks"].update(pod="pods"), "networks.pod: 'pods' must be an IPv4 network"),
        (lambda d: d["nodes"][1].update(name="m-k8s"), "name m-k8s is used by more than one node"),
        (lambda d: d["nodes"][1].update(address="192.168.1.10"), "address 192.168.1.10 is used by more than one node"),
        (lambda d: d["nodes"][1].update(address="10.0.0.1"), "w1-k8s's address 10.0.0.1 is outside networks.node"),
        (lambda d: d["nodes"][1].update(address="192.168.1.1"), "192.168.1.1 is the gateway's"),
        (lambda d: d["nodes"][1].update(role="control-plane"), "exactly one must have the role control-plane"),
        (lambda d: d["nodes"][1].update(cpus=0), "nodes.1.cpus: 0 must be greater than or equal to 1"),
        (
            lambda d: d.update(provider="vmware"),
            "provider: 'vmware' must be 'docker', 'virtualbox', 'libvirt' or 'existing'",
        ),
        (
            lambda d: d["accepted_risks"]["token_expires"].update(until="2020-13-01"),
            "accepted_risks.token_expires.until: '2020-13-01' must be a valid date",
        ),
        (lambda d: d["lab"].pop("mirror"), "lab.mirror: is required and not there"),
        (lambda d: d["lab"].update(source="net"), "lab.source: 'net' must be 'auto', 'modules' or 'release'"),
        (lambda d: d["lab"].update(mirror="mirror.example"), "lab.mirror: 'mirror.example' must be a URL such as"),
        (lambda d: d["lab"].update(proxy="proxy:3128"), "lab.proxy: 'proxy:3128' must be a URL such as"),
        (
            lambda d: d["lab"].update(ca="ca.pem"),
            "lab.ca: 'ca.pem' must be the absolute path of a file of",
        ),
        (lambda d: d["lab"].update(ca="/nowhere"), "lab.ca: '/nowhere' can't be used: [Errno 2] No such file"),
        (lambda d: d["lab"].update(ca="/dev/null"), "lab.ca: '/dev/null' can't be used: "),
        (lambda d: d.update(scripts="/nowhere"), "scripts: /nowhere has no step.sh"),
        (lambda d: d["providers"].update(docker="el8"), "'el8' has no section under systems (debian12, el9, lab)"),
        (lambda d: d["providers"].pop("docker"), "provider: 'docker' is no key of providers (libvirt, virtualbox)"),
        (lambda d: d["providers"].update(docker="el9"), "systems.el9.box: must be null: the lab builds its own"),
        (
            lambda d: d.update(provider="libvirt", providers={"libvirt": "lab"}),
            "systems.lab.box: must be the name of a Vagrant box",
        ),
        (
            lambda d: d["systems"]["lab"]["package_repositories"]["kubernetes"].update(
                source="https://pkgs.k8s.io/core:/stable:/v1.35/deb/ /"
            ),
            "/v1.35/deb/ / is of Kubernetes 1.35, but kubernetes.version is 1.36.3",
        ),
        (
            lambda d: d["systems"]["lab"].update(network_manifest="https://example.org/v3.1.0/manifests/calico.yaml"),
            "systems.lab.network_manifest: is of 3.1.0, but calico.version is 3.28.5",
        ),
        (lambda d: d.update(scripts="\0"), r"scripts: '\x00' must be a path"),
        (lambda d: d.update(colour="red"), "colour: is not a known key; known: schema_version, name, provider"),
        (lambda d: d.update({True: 1}), "the key True must be text: put it in quotes"),
        (lambda d: d.update(traffic_image=""), "traffic_image: must not be empty"),
        (lambda d: d["machine"].update(kernel_modules=None), "machine.kernel_modules: is empty: it must be a list"),
        (lambda d: d["kubernetes"].update(bootstrap_token=123456.1234), "123456.1234 must be text: put it in quotes"),
        (lambda d: d["kubernetes"].update(bootstrap_token_ttl="1 day"), "'1 day' must be a duration such as 24h"),
        (
            lambda d: d["networks"].update(pod="172.16.0.0/23"),
            "172.16.0.0/23 has no room for a /24 for each of 4 nodes",
        ),
        (lambda d: d["networks"].update(node="192.168.1.10/32"), "has no room for a gateway and a machine"),
        (
            lambda d: d["nodes"][1].update(address="172.16.0.9"),
            "outside networks.node 192.168.1.0/24, inside networks.pod",
        ),
        (lambda d: d["nodes"][1].update(address="192.168.1.255"), "192.168.1.255 is for broadcasts"),
    ],
)
def test_a_bad_spec_is_refused(tmp_path: Path, change: Change, message: str) -> None:
    """The message names what is wrong, and it is the only one."""
    with pytest.raises(SpecError) as refused:
        load(changed(tmp_path, change))
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    """Each in a line of its own, so that one correction is enough."""

    def change(document: dict[str, Any]) -> None:
        document["nodes"][1].update(name="m-k8s", address="10.0.0.1", ssh_port=60010)

    with pytest.raises(SpecError) as refused:
        load(changed(tmp_path, change))
    assert [line.split(": ", 1)[1] for line in str(refused.value).splitlines()] == [
        "nodes: name m-k8s is used by more than one node",
        "nodes: ssh_port 60010 is used by more than one node",
        "nodes: m-k8s's address 10.0.0.1 is outside networks.node 192.168.1.0/24",
    ]


@pytest.mark.parametrize(("day", "has_run_out"), [("2020-12-31", True), ("2999-12-31", False)])
def test_a_risk_that_has_run_out_is_no_bad_spec(tmp_path: Path, day: str, *, has_run_out: bool) -> None:
    """The calendar alone never turns a spec into an error."""
    file = changed(tmp_path, lambda _: None)
    file.write_text(file.read_text().replace("2027-12-31", day))
    assert load(file).accepted_risks["token_expires"].has_run_out is has_run_out


def test_a_spec_that_extends_another_says_only_what_differs(tmp_path: Path) -> None:
    """Mappings are merged key by key; other values replace; null takes a mapping out; paths are each file's own."""
    (tmp_path / "base").mkdir()
    base = changed(tmp_path / "base", lambda document: document.update(scripts="scripts"))
    (tmp_path / "base" / "scripts").symlink_to(paths.DEFAULT_SPEC.parent.parent)
    file = tmp_path / "own.yaml"
    file.write_text(
        f"extends: base/{base.name}\nname: own\nkubernetes: {{dns_domain: own.example}}\n"
        "machine: {programs: [vim]}\naccepted_risks: {token_expires: null}\n"
    )
    own, default = load(file), load(base)
    assert own.name == "own"
    assert (own.kubernetes.dns_domain, own.kubernetes.version) == ("own.example", default.kubernetes.version)
    assert (own.machine.programs, own.machine.sysctls) == (["vim"], default.machine.sysctls)
    assert {*own.accepted_risks} == {"join_verifies_the_ca"}
    assert own.scripts == default.scripts


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("nowhere.yaml", "nowhere.yaml: can't be read: No such file or directory"),
        ("own.yaml", "extends: {folder}/own.yaml extends this file again: leave one of the two out"),
        ("[1]", "extends: [1] must be the path of the spec that this one extends"),
    ],
)
def test_a_base_that_can_not_be_extended_is_refused(tmp_path: Path, base: str, message: str) -> None:
    """With the file that names it."""
    file = tmp_path / "own.yaml"
    file.write_text(f"extends: {base}\n")
    with pytest.raises(SpecError) as refused:
        load(file)
    assert message.format(folder=tmp_path) in str(refused.value)


def test_a_spec_of_a_later_schema_is_refused(tmp_path: Path) -> None:
    """With the way out; one of the version before is read."""
    with pytest.raises(SpecError, match=r"reads specs up to version 2, and this one has version 3: install a later"):
        load(changed(tmp_path, lambda document: document.update(schema_version=3)))
    assert load(changed(tmp_path, lambda document: document.pop("schema_version", None))).schema_version == 1


def test_values_can_be_shared_by_yamls_own_means(tmp_path: Path) -> None:
    """An anchor, and what is merged in."""
    file = changed(tmp_path, lambda _: None)
    text = file.read_text().replace("  join_verifies_the_ca:\n", "  join_verifies_the_ca: &ca\n", 1)
    file.write_text(text.replace("  token_expires:\n", "  token_expires:\n    <<: *ca\n", 1))
    assert set(load(file).accepted_risks) == {"token_expires", "join_verifies_the_ca"}


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    """YAML alone would keep the last one and say nothing."""
    file = tmp_path / "spec.yaml"
    file.write_text("name: one\nname: two\n")
    with pytest.raises(SpecError, match="the key 'name' is given twice"):
        load(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must be a mapping of keys such as name"),
        ("[]", "must be a mapping of keys such as name"),
        ("name: [", "is not YAML: line 1, column 8: expected the node content"),
        ("\x00", "is not YAML: unacceptable character #x0000"),
        ("a: 2026-02-30", "is not YAML: line 1, column 4: is no timestamp: '2026-02-30'"),
        ("a: 0x" + "f" * 20, "is not YAML: line 1, column 4: the number is too large"),
        ('a: "\\ud800"', "is not YAML: line 1, column 4: is no str"),
        ("a: " + "[" * 2000, "is nested too deeply"),
        (b"name: \xff", "is not UTF-8: invalid start byte at byte 6"),
    ],
    ids=itertools.count(),
)
def test_what_is_no_spec_at_all_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    """By the file's name and, where there is one, the place in it; never a traceback."""
    file = tmp_path / "spec.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SpecError) as refused:
        load(file)
    assert str(refused.value).startswith(f"{file}: {message}")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Or that is none."""
    with pytest.raises(SpecError, match="can't be read: No such file or directory"):
        load(tmp_path / "spec.yaml")
    with pytest.raises(SpecError, match="can't be read: Is a directory"):
        load(tmp_path)


def test_the_vagrantfile_is_told_on_standard_error(tmp_path: Path) -> None:
    """By exit status 2, and nothing on standard output that could be taken for a spec."""
    file = tmp_path / "spec.yaml"
    file.write_text("name: [")
    done = subprocess.run(
        [sys.executable, "-m", "kubeproof.spec", file], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{file}: is not YAML: line 1, column 8: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_spec_can_be_written_and_loaded_again(tmp_path: Path, bundled: Path) -> None:
    """From any folder, also with other nodes: the kept cluster and the mutants' machines have such a file."""
    spec = load(bundled)
    fewer = spec.model_copy(update={"nodes": [*spec.control_planes, spec.workers[0].model_copy(update={"cpus": 4})]})
    for original in (spec, fewer):
        (tmp_path / "spec.json").write_text(original.document())
        assert load(tmp_path / "spec.json") == original
