"""`kubeproof init` writes a first spec from the answers of Vagrant, or of a cluster's API."""

import shutil
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from kubeproof.initial import Impossible, Unanswered, cluster, name_like, vagrantfile
from kubeproof.process import paths
from kubeproof.process.progress import Progress
from kubeproof.spec import Existing, load
from kubeproof.spec.scripts import SCRIPTS
from selftests.test_existing import kubeconfig, server

__all__ = ["kubeconfig", "server"]  # fixtures

QUIET = Progress(quiet=True)
VAGRANTFILE = """
Vagrant.configure("2") do |config|
  { "m-k8s" => [10, "master_node.sh"], "w1-k8s" => [101, "work_nodes.sh"] }.each do |name, (last, script)|
    config.vm.define name do |cfg|
      cfg.vm.box = "example/rocky9"
      cfg.vm.provider "virtualbox" do |virtualbox|
        virtualbox.cpus = 2
        virtualbox.memory = 2048 if name == "m-k8s"
      end
      cfg.vm.hostname = name
      cfg.vm.network "private_network", ip: "10.7.0.#{last}"
      cfg.vm.network "forwarded_port", guest: 22, host: 61000 + last, id: "ssh"
      cfg.vm.provision "shell", path: "config.sh"
      cfg.vm.provision "shell", path: "install_pkg.sh", args: ["1.35.2"]
      cfg.vm.provision "shell", path: script, env: { "POD_NETWORK" => "10.8.0.0/16" }
    end
  end
end
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder of a Vagrantfile and its scripts."""
    folder = tmp_path / "My Cluster"
    folder.mkdir()
    (folder / "Vagrantfile").write_text(VAGRANTFILE)
    for script in SCRIPTS:
        shutil.copy(paths.CHECKOUT / "provision" / script, folder)
    return folder


def test_a_vagrantfile_becomes_a_spec(project: Path, tmp_path: Path) -> None:
    """Machines, roles, addresses, sizes, provider, box, scripts, and the values that the scripts get."""
    vagrantfile.write_spec(project, tmp_path / "spec.yaml", QUIET)
    spec = load(tmp_path / "spec.yaml")
    assert [(node.name, node.role, str(node.address), node.cpus, node.ssh_port) for node in spec.nodes] == [
        ("m-k8s", "control-plane", "10.7.0.10", 2, 61010),
        ("w1-k8s", "worker", "10.7.0.101", 2, 61101),
    ]
    assert (spec.name, spec.provider, spec.scripts, spec.machines.box) == (
        "my-cluster",
        "virtualbox",
        project,
        "example/rocky9",
    )
    assert (str(spec.networks.node), str(spec.networks.pod)) == ("10.7.0.0/24", "10.8.0.0/16")
    assert spec.kubernetes.version == "1.35.2"


def test_the_spec_of_a_vagrantfile_extends_the_bundled_one(project: Path, tmp_path: Path) -> None:
    """It inherits what Vagrant does not report, but no accepted risk and no repository of another release."""
    vagrantfile.write_spec(project, tmp_path / "spec.yaml", QUIET)
    text, spec, default = (tmp_path / "spec.yaml").read_text(), load(tmp_path / "spec.yaml"), load(paths.DEFAULT_SPEC)
    written = yaml.safe_load(text)
    assert (written["schema_version"], written["extends"]) == (2, str(paths.DEFAULT_SPEC))
    assert text.startswith("# Written by `kubeproof init`")
    assert (spec.machine, spec.kubernetes.dns_domain) == (default.machine, default.kubernetes.dns_domain)
    assert spec.accepted_risks == {}
    assert "/v1.35/" in spec.machines.package_repositories["kubernetes"].source
    assert "/v1.35/" in str(spec.machines.package_repositories["kubernetes"].key)


def test_assumed_sizes_are_marked(project: Path, tmp_path: Path) -> None:
    """Nobody knows a box's own memory before its machine exists."""
    vagrantfile.write_spec(project, tmp_path / "spec.yaml", QUIET)
    assert (
        "  - {name: w1-k8s, role: worker, address: 10.7.0.101, cpus: 2, memory_mb: 2560, ssh_port: 61101}"
        "   # memory_mb: assumed, Vagrant does not report it\n"
    ) in (tmp_path / "spec.yaml").read_text()


def test_a_failing_vagrantfile_is_reported_in_vagrants_words(project: Path, tmp_path: Path) -> None:
    """Nothing is written."""
    (project / "Vagrantfile").write_text("raise 'the cellar is flooded'\n")
    with pytest.raises(Unanswered, match=r"(?s)Vagrant does not answer: .*the cellar is flooded"):
        vagrantfile.write_spec(project, tmp_path / "spec.yaml", QUIET)
    assert not (tmp_path / "spec.yaml").exists()


def test_machines_of_other_scripts_must_be_up(project: Path, tmp_path: Path) -> None:
    """init asks the machines themselves for their cluster."""
    (project / "step.sh").unlink()
    with pytest.raises(Unanswered, match=r"Vagrant does not answer: .*ssh-config"):
        vagrantfile.write_spec(project, tmp_path / "spec.yaml", QUIET)
    assert not [*tmp_path.glob("spec.*")]


def test_an_invalid_spec_is_not_written(project: Path, tmp_path: Path) -> None:
    """The refusal contains the spec's own message."""
    (project / "Vagrantfile").write_text(VAGRANTFILE.replace("10.8.0.0/16", "10.7.0.0/16"))
    with pytest.raises(Impossible, match=r"(?s)make no spec that can be judged:.*overlaps"):
        vagrantfile.write_spec(project, tmp_path / "spec.yaml", QUIET)
    assert not (tmp_path / "spec.yaml").exists()


def test_an_api_that_reports_little_makes_a_short_spec(tmp_path: Path, kubeconfig: Path) -> None:
    """Unreported keys are left out."""
    cluster.write_spec(kubeconfig, None, tmp_path / "spec.yaml", QUIET)
    assert yaml.safe_load((tmp_path / "spec.yaml").read_text()) == {
        "schema_version": 2,
        "name": "mine",
        "provider": "existing",
        "kubeconfig": str(kubeconfig),
        "components": [],
        "kubernetes": {"version": "1.33.1-eks-508b6b3"},
        "nodes": [],
    }
    assert isinstance(load(tmp_path / "spec.yaml"), Existing)


def test_an_unanswering_api_is_reported(tmp_path: Path, kubeconfig: Path, server: ThreadingHTTPServer) -> None:
    """The message says how to look further."""
    server.shutdown()
    server.server_close()
    with pytest.raises(Unanswered, match=r"the API of mine does not answer: .* Look with: kubectl"):
        cluster.write_spec(kubeconfig, None, tmp_path / "spec.yaml", QUIET)
    assert not (tmp_path / "spec.yaml").exists()


@pytest.mark.parametrize(
    ("text", "name"),
    [("My Cluster", "my-cluster"), ("k8s_lab.v2", "k8s-lab-v2"), ("---", "cluster"), ("x" * 80, "x" * 63)],
)
def test_any_text_becomes_a_valid_name(text: str, name: str) -> None:
    """A spec accepts the result as a cluster's name."""
    assert name_like(text) == name
