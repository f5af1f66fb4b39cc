"""The bundle that machines mount read-only: a package repository, the CNI's manifest and the admin's scripts."""

import os
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from kubeproof.lab import debian, go, sources
from kubeproof.lab.cache import Component, provide
from kubeproof.process import paths
from kubeproof.process.commands import run
from kubeproof.process.progress import Progress
from kubeproof.spec import Spec, stated

UNITS = paths.RECIPES / "packages"
ADMIN_SCRIPTS = paths.RECIPES / "admin_scripts"
MANIFESTS = {
    "calico": ("github.com/projectcalico/calico", "manifests/calico-vxlan.yaml"),
    "flannel": ("github.com/flannel-io/flannel", "Documentation/kube-flannel.yml"),
}
REVISION = "1.1"  # of a package, as in the official repository: 1.36.3-1.1


@dataclass(frozen=True)
class Package:
    """The content of a .deb; `files` lists its files by their folder on the machine."""

    name: str
    version: str
    summary: str
    files: dict[str, list[Path]]
    depends: list[str]


def bundle(spec: Spec) -> Component:
    """packages/ (an apt repository), network.yaml and admin-scripts.git, for the spec's versions."""
    programs = sources.of(spec, "kubernetes", "containerd", "cri-tools", "cni-plugins")
    system = debian.machine(tuple(spec.machines.admin_packages))

    def build(folder: Path) -> None:
        progress = Progress(quiet=True)
        folders = {name: provide(component, progress) for name, component in programs.items()}
        repository = folder / "packages"
        repository.mkdir()
        for deb in (provide(system, progress) / "packages").glob("*.deb"):
            os.link(deb, repository / deb.name)
        for package in _packages(sources.versions(spec), folders):
            _make_deb(package, repository)
        (repository / "Packages").write_text(run("apt-ftparchive", "packages", ".", cwd=repository))
        (repository / "Release").write_text(run("apt-ftparchive", "release", ".", cwd=repository))
        shutil.copyfile(network_manifest(spec), folder / "network.yaml")
        _make_repository(ADMIN_SCRIPTS, folder / "admin-scripts.git")

    network = [f"{name} {version}" for name, version in sources.network(spec).items()]
    keys = [system.key, *[part.key for part in programs.values()]]
    return Component("bundle", (UNITS, ADMIN_SCRIPTS, *network, *keys), build)


def network_manifest(spec: Spec) -> Path:
    """The pod network's manifest of the spec's version, from the provider's module."""
    plugin = stated(spec.network_plugin)
    import_path, manifest = MANIFESTS[plugin]
    return go.source(plugin, sources.network(spec)[plugin], import_path) / manifest


def _packages(versions: dict[str, str], programs: dict[str, Path]) -> Iterator[Package]:
    for entry in yaml.safe_load((UNITS / "packages.yaml").read_text()):
        component, version = programs[entry["component"]], f"{versions[entry['component']]}-{REVISION}"
        files = {
            folder: [path for name in names for path in ([*component.glob(name)] or [UNITS / name])]
            for folder, names in entry["files"].items()
        }
        yield Package(entry["name"], version, entry["summary"], files, entry.get("depends", []))


def _make_deb(package: Package, repository: Path) -> None:
    tree = repository / f".{package.name}"
    for folder, files in package.files.items():
        (tree / folder).mkdir(parents=True)
        for source in files:
            target = shutil.copyfile(source, tree / folder / source.name)
            target.chmod(0o755 if folder.endswith("bin") else 0o644)
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN" / "control").write_text(
        textwrap.dedent(f"""\
            Package: {package.name}
            Version: {package.version}
            Architecture: amd64
            Maintainer: the kubeproof lab <lab@kubeproof.example>
            Description: {package.summary}
            """)
        + (f"Depends: {', '.join(package.depends)}\n" if package.depends else "")
    )
    # Uncompressed: every machine unpacks it, from the host's disk.
    run("dpkg-deb", "--build", "--root-owner-group", "-Znone", tree, repository / f"{package.name}.deb")
    shutil.rmtree(tree)


def _make_repository(scripts: Path, bare: Path) -> None:
    tree = bare.parent / "admin-scripts"
    shutil.copytree(scripts, tree)
    author = ["-c", "user.name=the kubeproof lab", "-c", "user.email=lab@kubeproof.example"]
    run("git", "init", "--quiet", "--initial-branch=main", tree)
    run("git", "-C", tree, "add", ".")
    run("git", "-C", tree, *author, "commit", "--quiet", "--message=The administrator's scripts")
    run("git", "clone", "--quiet", "--bare", tree, bare)
    shutil.rmtree(tree)
