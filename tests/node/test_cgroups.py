"""Control groups: kubelet and the runtime use them to limit and count the resources of a pod."""

import pytest
from testinfra.host import Host

from kubeproof.checks import Spec

FILE_SYSTEMS = {"tmpfs": 1, "cgroup2fs": 2}  # statfs(2)'s type of /sys/fs/cgroup: the version of cgroups(7)


@pytest.mark.step("Vagrantfile", "image")
@pytest.mark.needs("machines.cgroup_version")
def test_cgroup_version(machine: Host, spec: Spec) -> None:
    """The machine runs the spec's version of control groups, which kubelet and the runtime are configured for."""
    file_system = machine.check_output("stat --file-system --format %T /sys/fs/cgroup")
    assert FILE_SYSTEMS.get(file_system) == spec.machines.cgroup_version
