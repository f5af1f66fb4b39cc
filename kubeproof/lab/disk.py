"""How much disk the lab takes and where, and what to say when there is too little of it."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kubeproof.lab import LabFailed, box, go
from kubeproof.process import paths
from kubeproof.process.commands import CommandFailed, run
from kubeproof.spec import Spec

# Measured with du after a cold build of the default spec, Go 1.26 on amd64, and rounded up.
# Docker's data: 4.4 GB with the box and four machines up.
PART_MB = {
    "kubernetes": 650,
    "calico": 250,
    "flannel": 60,
    "containerd": 100,
    "etcd": 50,
    "coredns": 60,
    "cri-tools": 30,
    "cni-plugins": 30,
    "machine-root": 250,
    "tools-root": 200,
    "bundle": 450,
    "images": 3500,  # with the archive of their layers beside these, while they are imported
}
GO_MODULES_MB, GO_BUILDS_MB = 2400, 6000
BOX_MB = 4500  # on the lab's Docker daemon, and the archive that it is made of
MACHINE_MB = 500  # what one writes while it runs
SPARE_MB = 1100  # where less than 1 GiB is free, kubelet evicts pods: evictionHard of the lab's system
STATE_MB = 100  # logs, and what tells what runs
SCRATCH_MB = 1000  # a Debian root before it is archived, Go's linker
REMEDY = (
    "Free some, or let XDG_CACHE_HOME (the box and what it is made of) or XDG_STATE_HOME (the lab's state) name a "
    "folder on another disk"
)
FULL = (errno.ENOSPC, errno.EDQUOT)
MB = 1 << 20


@dataclass(frozen=True)
class Need:
    """Room in a folder: all of `mb` where nothing is there yet; what is there counts, down to `at_least_mb`."""

    what: str
    folder: Path
    mb: int
    at_least_mb: int


@dataclass(frozen=True)
class Disk:
    """A file system, what it has to hold, and whether it can."""

    folder: Path
    wanted: dict[str, int]
    free_mb: int

    @property
    def wanted_mb(self) -> int:
        """The sum of what it has to hold."""
        return sum(self.wanted.values())

    @property
    def is_enough(self) -> bool:
        """Whether there is room for all of it."""
        return self.free_mb >= self.wanted_mb

    def told(self) -> str:
        """What is wanted and what is there, for a person."""
        parts = ", ".join(f"{what} {gigabytes(mb)}" for what, mb in self.wanted.items())
        return f"{gigabytes(self.free_mb)} are free for {self.folder}; {gigabytes(self.wanted_mb)} are needed ({parts})"


def gigabytes(mb: int) -> str:
    """An amount as a person reads it."""
    return f"{mb / 1000:.1f} GB"


def disks(spec: Spec) -> list[Disk]:
    """Each file system that the lab of `spec` will write to, with what it takes there from here on."""
    by_device: dict[int, list[Need]] = {}
    for need in _needs(spec):
        by_device.setdefault(nearest(need.folder).stat().st_dev, []).append(need)
    return [_disk(needs) for needs in by_device.values()]


def nearest(folder: Path) -> Path:
    """The folder itself, or what is there of the way to it."""
    # os.path: what may not be looked into is not there, for this user.
    return next(path for path in (folder, *folder.parents) if os.path.exists(path))  # noqa: PTH110


def _needs(spec: Spec) -> list[Need]:
    missing = box.missing(spec)
    parts_mb = sum(mb for part in missing for name, mb in PART_MB.items() if part.name.startswith(name))
    machines_mb = MACHINE_MB * len(spec.nodes)
    box_mb, running_mb = BOX_MB + machines_mb + SPARE_MB, machines_mb + SPARE_MB
    needs = [
        Need(
            "the box and its machines",
            paths.cache() / "docker" / paths.lab(),
            box_mb,
            box_mb if missing else running_mb,
        ),
        Need("the lab's state", paths.state(), STATE_MB, STATE_MB),
    ]
    if missing:
        needs += [
            Need("parts of the box", paths.cache() / "components", parts_mb + SCRATCH_MB, parts_mb + SCRATCH_MB),
        ]
    if not all(part.folder.exists() for part in box.programs(spec)):
        needs += [
            Need("Go's modules", _go_folder("GOMODCACHE"), GO_MODULES_MB, 0),
            Need("Go's builds", _go_folder("GOCACHE"), GO_BUILDS_MB, 0),
        ]
    return needs


def _go_folder(variable: str) -> Path:
    there = go.of_the_machine()
    return Path(run(there, "env", variable).strip()) if there else Path.home()


def _disk(needs: list[Need]) -> Disk:
    free_mb = shutil.disk_usage(nearest(needs[0].folder)).free // MB
    whole = Disk(needs[0].folder, {need.what: need.mb for need in needs}, free_mb)
    if whole.is_enough:
        return whole
    # Only now is it worth the time to look what of it is there already.
    return Disk(
        needs[0].folder, {need.what: max(need.at_least_mb, need.mb - _size_mb(need)) for need in needs}, free_mb
    )


def _size_mb(need: Need) -> int:
    if need.mb == need.at_least_mb:
        return 0
    device = nearest(need.folder).stat().st_dev
    files = [Path(folder, name) for folder, _, names in os.walk(need.folder) for name in names]
    seen = [file.lstat() for file in files if os.path.lexists(file)]
    # Not the machines' views of their layers, which are mounted inside.
    return sum(one.st_blocks for one in seen if one.st_dev == device) * 512 // MB


@contextmanager
def told_when_full(spec: Spec) -> Iterator[None]:
    """Say how much is needed and where, if what is done in the block ends for want of disk.

    Raises LabFailed then; any other error is left as it is.
    """
    try:
        yield
    except (LabFailed, CommandFailed, OSError) as error:
        if not _is_full(error):
            raise
        everywhere = disks(spec)
        raise LabFailed(
            f"{error}\n{_told([disk for disk in everywhere if not disk.is_enough] or everywhere)}"
        ) from error


def lacking(spec: Spec) -> str:
    """What to say where there is, by now, less room than machines of `spec` need to go on; empty if there is enough."""
    short = [disk for disk in disks(spec) if disk.free_mb < min(SPARE_MB, disk.wanted_mb)]
    return _told(short) if short else ""


def _told(short: list[Disk]) -> str:
    now = "\n".join(f"- {disk.told()}" for disk in short)
    return f"The disk is full, or nearly so. Without what was half made:\n{now}\n{REMEDY}, and try again."


def _is_full(error: Exception) -> bool:
    said = error.output if isinstance(error, CommandFailed) else str(error)
    return (isinstance(error, OSError) and error.errno in FULL) or os.strerror(errno.ENOSPC).lower() in said.lower()
