"""Selects the source of the cluster's programs: their projects' releases, or a build of their Go modules."""

from pathlib import Path

import yaml

from kubeproof.lab import downloads, go
from kubeproof.lab.cache import Component, provide
from kubeproof.process.progress import Progress
from kubeproof.spec import Spec, stated
from kubeproof.spec.model import Lab

QUIET = Progress(quiet=True)
COMPANIONS = go.MODULES / "kubernetes.yaml"


def versions(spec: Spec) -> dict[str, str]:
    """The version of each component with programs in the box; the slowest build comes first."""
    companions: dict[str, dict[str, str]] = yaml.safe_load(COMPANIONS.read_text())
    return {
        "kubernetes": stated(spec.kubernetes.version),
        **network(spec),
        "containerd": go.only_version("containerd"),
        **companions[stated(spec.kubernetes.version)],
        "cri-tools": go.only_version("cri-tools"),
        "cni-plugins": go.only_version("cni-plugins"),
    }


def network(spec: Spec) -> dict[str, str]:
    """The version of each component of the pod network's provider."""
    plugin = stated(spec.network_plugin)
    version = stated(spec.network_version)
    extra = {"flannel-cni-plugin": go.only_version("flannel-cni-plugin")} if plugin == "flannel" else {}
    return {plugin: version, **extra}


def of(spec: Spec, *names: str) -> dict[str, Component]:
    """The programs of those components that the box for `spec` contains."""
    pinned = versions(spec)
    return {name: programs(spec.lab, name, pinned[name]) for name in names}


def programs(lab: Lab, name: str, version: str, progress: Progress = QUIET) -> Component:
    """The programs of one component, by the source that the spec names.

    For `auto`, this is the release, unless only the build is cached.
    """
    built = go.programs(name, version)
    if lab.source == "modules" or name not in downloads.RELEASES:
        return built
    released = downloads.programs(name, version, lab.mirror, progress)
    only_built = built.folder.exists() and not released.folder.exists()
    return built if lab.source == "auto" and only_built else released


class Provider:
    """Provides programs, one component after the other; for `auto` it builds and reports what can't be downloaded."""

    def __init__(self, lab: Lab, progress: Progress) -> None:
        self._lab = lab
        self._progress = progress
        self._answers: dict[str, bool] = {}  # by host

    def provide(self, name: str, version: str) -> Path:
        """Return the folder of the programs; raises what its builder raises."""
        part = programs(self._lab, name, version, self._progress)
        built = go.programs(name, version)
        if self._lab.source != "auto" or part.folder.exists() or part.key == built.key:
            return provide(part, self._progress)
        if not self._can_be_reached(name, version):
            return provide(built, self._progress)
        try:
            return provide(part, self._progress)
        except downloads.Unavailable as error:
            self._progress.say(f"{str(error).splitlines()[0]}; {name} {version} is built from its modules instead")
            return provide(built, self._progress)

    def _can_be_reached(self, name: str, version: str) -> bool:
        host = downloads.host(name, self._lab.mirror)
        if host not in self._answers:
            complaint = downloads.complaint(name, version, self._lab.mirror)
            self._answers[host] = not complaint
            if complaint:
                self._progress.say(f"{complaint}; what {host} publishes is built from its modules instead")
        return self._answers[host]
