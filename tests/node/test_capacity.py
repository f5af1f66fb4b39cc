"""Capacity: kernel, processors, memory and disk of each machine."""

import pytest
from kubernetes.client.models import V1Node
from kubernetes.utils.quantity import parse_quantity
from packaging.version import Version
from testinfra.host import Host

from kubeproof.checks import Node, stated

OLDEST_KERNEL = Version("4.19")  # kubeadm's SystemVerification requires a long-term release of at least this
FREE_BYTES = 2**30  # writable before kubelet begins to evict


@pytest.mark.step("Vagrantfile", "image")
def test_kernel(machine: Host) -> None:
    """The kernel is recent enough for kubeadm."""
    release = machine.check_output("uname --kernel-release").split("-")[0]
    assert Version(release) >= OLDEST_KERNEL


@pytest.mark.step("Vagrantfile", "cpus")
@pytest.mark.needs("nodes.cpus")
def test_cpus(machine: Host, node: Node) -> None:
    """The machine has as many processors as the spec states."""
    assert int(machine.check_output("nproc")) == node.cpus


@pytest.mark.step("Vagrantfile", "memory")
@pytest.mark.needs("nodes.memory_mb")
def test_memory(registered_node: V1Node, node: Node) -> None:
    """The machine has the spec's memory, less at most a tenth that its kernel reserves."""
    capacity_mb = parse_quantity(registered_node.status.capacity["memory"]) / 2**20
    assert capacity_mb > stated(node.memory_mb) * 9 / 10


@pytest.mark.step("Vagrantfile", "image")
def test_disk_has_room(machine: Host) -> None:
    """The machine can write a gigabyte before kubelet's default threshold, a tenth of the disk free, is reached."""
    # kubelet's folder may have its own disk, and does not exist before the machine is a node.
    folder = "$(ls --directory /var/lib/kubelet || echo /var/lib)"
    free, size = machine.check_output(f"df --block-size=1 --output=avail,size {folder} | tail -1").split()
    assert int(free) - int(size) / 10 > FREE_BYTES
