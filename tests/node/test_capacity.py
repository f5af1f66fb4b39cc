"""What a machine has to offer."""

import pytest
from kubernetes.client.models import V1Node
from kubernetes.utils.quantity import parse_quantity
from packaging.version import Version
from testinfra.host import Host

from kubeproof.checks import Node, stated

OLDEST_KERNEL = Version("4.19")  # kubeadm's SystemVerification asks for a long-term release of at least this
ROOM = 2**30  # bytes that a node can still write before kubelet begins to evict


@pytest.mark.step("Vagrantfile", "image")
def test_kernel(machine: Host) -> None:
    """The kernel is recent enough for kubeadm."""
    release = machine.check_output("uname --kernel-release").split("-")[0]
    assert Version(release) >= OLDEST_KERNEL


@pytest.mark.step("Vagrantfile", "cpus")
@pytest.mark.needs("nodes.cpus")
def test_cpus(machine: Host, node: Node) -> None:
    """The machine has the spec's processors."""
    assert int(machine.check_output("nproc")) == node.cpus


@pytest.mark.step("Vagrantfile", "memory")
@pytest.mark.needs("nodes.memory_mb")
def test_memory(registered_node: V1Node, node: Node) -> None:
    """The machine has the spec's memory, but for what its kernel keeps for itself: a tenth at most."""
    there = parse_quantity(registered_node.status.capacity["memory"]) / 2**20
    assert there > stated(node.memory_mb) * 9 / 10


@pytest.mark.step("Vagrantfile", "image")
def test_disk_has_room(machine: Host) -> None:
    """A gigabyte can be written before kubelet's default threshold is reached: a tenth of the disk left."""
    # Its folder may have a disk of its own; it is not there before the machine is a node.
    place = "$(ls --directory /var/lib/kubelet || echo /var/lib)"
    left, whole = machine.check_output(f"df --block-size=1 --output=avail,size {place} | tail -1").split()
    assert int(left) - int(whole) / 10 > ROOM
