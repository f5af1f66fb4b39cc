"""The parts of the box come from the source that the spec names."""

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


def spec_with(tmp_path: Path, **lab: str) -> Spec:
    """The default spec with other keys of `lab`."""
    document = yaml.safe_load(paths.DEFAULT_SPEC.read_text())
    document["scripts"] = str(paths.DEFAULT_SPEC.parent.parent)
    document["lab"].update(lab)
    file = tmp_path / "spec.yaml"
    file.write_text(yaml.safe_dump(document))
    return load(file)


@pytest.fixture
def cached_builds(cold_cache: Path) -> None:
    """Empty parts in the cache, in place of those that no release contains."""
    del cold_cache
    spec = load(paths.DEFAULT_SPEC)
    for part in (
        go.programs("kubernetes", "1.36.3", downloads.UNPUBLISHED["kubernetes"]),
        go.programs("calico", "3.28.5"),
        *box.systems(spec),
    ):
        part.folder.mkdir(parents=True)
    (debian.machine(tuple(spec.machines.admin_packages)).folder / "packages").mkdir()


@pytest.mark.usefixtures("cached_builds")
def test_the_packages_of_the_box_hold_the_releases_programs(mirror: Mirror, tmp_path: Path) -> None:
    """Each program runs after its package was unpacked."""
    spec = spec_with(tmp_path, source="release", mirror=mirror.url)
    box.prepare(spec, QUIET)
    bundle = provide(packages.bundle(spec), QUIET)
    outputs = {}
    for package, program in (
        ("kubelet", "usr/bin/kubelet"),
        ("containerd", "usr/bin/containerd-shim-runc-v2"),
        ("cri-tools", "usr/bin/crictl"),
        ("kubernetes-cni", "opt/cni/bin/portmap"),
    ):
        tree = tmp_path / package
        subprocess.run(["dpkg-deb", "--extract", bundle / "packages" / f"{package}.deb", tree], check=True)
        outputs[package] = subprocess.check_output([tree / program], text=True).strip()
    assert outputs == {
        "kubelet": "kubelet 1.36.3",
        "containerd": "containerd-shim-runc-v2",
        "cri-tools": "crictl",
        "kubernetes-cni": "portmap",
    }


@pytest.mark.usefixtures("cached_builds")
def test_what_is_cached_is_not_asked_for_again(mirror: Mirror, tmp_path: Path) -> None:
    """A second run works without a mirror."""
    box.prepare(spec_with(tmp_path, source="release", mirror=mirror.url), QUIET)
    mirror.requests.clear()
    box.prepare(spec_with(tmp_path, source="auto", mirror=mirror.url), QUIET)
    assert mirror.requests == []


@pytest.mark.usefixtures("cold_cache")
def test_another_source_makes_another_box(tmp_path: Path) -> None:
    """A kept cluster from one source is not reused for the other."""
    assert box.tag(spec_with(tmp_path, source="release")) != box.tag(spec_with(tmp_path, source="modules"))
