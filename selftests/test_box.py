"""What the box is made of comes from where the spec says."""

import subprocess
from pathlib import Path

import pytest
import yaml

from kubeproof.lab import box, debian, downloads, go, packages
from kubeproof.lab.cache import provide
from kubeproof.process import paths
from kubeproof.process.progress import Progress
from kubeproof.spec import Spec, load
from selftests.mirror import Mirror

QUIET = Progress(quiet=True)


def default(tmp_path: Path, **lab: str) -> Spec:
    """The default spec with another `lab`."""
    document = yaml.safe_load(paths.DEFAULT_SPEC.read_text())
    document["scripts"] = str(paths.DEFAULT_SPEC.parent.parent)
    document["lab"].update(lab)
    file = tmp_path / "spec.yaml"
    file.write_text(yaml.safe_dump(document))
    return load(file)


@pytest.fixture
def made_here(cold_cache: Path) -> None:
    """What no release has is cached, though it is hardly anything."""
    del cold_cache
    spec = load(paths.DEFAULT_SPEC)
    for part in (
        go.programs("kubernetes", "1.36.3", downloads.UNPUBLISHED["kubernetes"]),
        go.programs("calico", "3.28.5"),
        *box.systems(spec),
    ):
        part.folder.mkdir(parents=True)
    (debian.machine(tuple(spec.machines.admin_packages)).folder / "packages").mkdir()


@pytest.mark.usefixtures("made_here")
def test_the_packages_of_the_box_hold_the_releases_programs(mirror: Mirror, tmp_path: Path) -> None:
    """As a machine unpacks them."""
    spec = default(tmp_path, source="release", mirror=mirror.url)
    box.prepare(spec, QUIET)
    bundle = provide(packages.bundle(spec), QUIET)
    said = {}
    for package, program in (
        ("kubelet", "usr/bin/kubelet"),
        ("containerd", "usr/bin/containerd-shim-runc-v2"),
        ("cri-tools", "usr/bin/crictl"),
        ("kubernetes-cni", "opt/cni/bin/portmap"),
    ):
        tree = tmp_path / package
        subprocess.run(["dpkg-deb", "--extract", bundle / "packages" / f"{package}.deb", tree], check=True)
        said[package] = subprocess.check_output([tree / program], text=True).strip()
    assert said == {
        "kubelet": "kubelet 1.36.3",
        "containerd": "containerd-shim-runc-v2",
        "cri-tools": "crictl",
        "kubernetes-cni": "portmap",
    }


@pytest.mark.usefixtures("made_here")
def test_what_is_cached_is_not_asked_for_again(mirror: Mirror, tmp_path: Path) -> None:
    """A second run, whose mirror may be gone."""
    box.prepare(default(tmp_path, source="release", mirror=mirror.url), QUIET)
    mirror.asked.clear()
    box.prepare(default(tmp_path, source="auto", mirror=mirror.url), QUIET)
    assert mirror.asked == []


@pytest.mark.usefixtures("cold_cache")
def test_another_source_makes_another_box(tmp_path: Path) -> None:
    """A kept cluster of the one is not taken for the other."""
    assert box.tag(default(tmp_path, source="release")) != box.tag(default(tmp_path, source="modules"))
