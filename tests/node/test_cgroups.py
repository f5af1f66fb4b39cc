"""Control groups, by which kubelet and runtime bound and count what a pod uses."""

import pytest
from testinfra.host import Host

from kubeproof.checks import Spec

FILE_SYSTEMS = {"tmpfs": 1, "cgroup2fs": 2}  # what statfs(2) calls /sys/fs/cgroup, by cgroups(7)'s version


@pytest.mark.step("Vagrantfile", "image")
@pytest.mark.needs("machines.cgroup_version")
def test_cgroup_version(machine: Host, spec: Spec) -> None:
    """The machine runs the spec's version of them, for which kubelet and runtime are set up."""
    found = machine.check_output("stat --file-system --format %T /sys/fs/cgroup")
    assert FILE_SYSTEMS.get(found) == spec.machines.cgroup_version
