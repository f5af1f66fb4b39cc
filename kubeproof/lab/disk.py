"""How much disk the lab takes and where, and the message for a disk that is too small."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kubeproof.lab import LabFailed, box, go, state
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
    "images": 3500,  # during the import: the images and the archive of their layers
}
GO_MODULES_MB, GO_BUILDS_MB = 2400, 6000
BOX_MB = 4500  # the image on the lab's Docker daemon, and the archive for its import
MACHINE_MB = 500  # what a machine writes while it runs
SPARE_MB = 1100  # kubelet evicts pods below 1 GiB of free disk: evictionHard of the lab's system
STATE_MB = 100  # logs and lab.json
SCRATCH_MB = 1000  # a Debian root before it is archived, Go's linker
REMEDY = (
    "Free some, or set XDG_CACHE_HOME (the box and its parts) or XDG_STATE_HOME (the lab's state) to a folder on "
    "another disk"
)
FULL = (errno.ENOSPC, errno.EDQUOT)
MB = 1 << 20


@dataclass(frozen=True)
class Need:
    """Room in a folder: `mb` if it is empty. Existing files reduce this, but never below `at_least_mb`."""

    purpose: str
    folder: Path
    mb: int
    at_least_mb: int


@dataclass(frozen=True)
class Disk:
    """A file system: a folder on it, and its needs in MB by purpose."""

    folder: Path
    needs: dict[str, int]
    free_mb: int

    @property
    def needed_mb(self) -> int:
        """The sum of its needs."""
        return sum(self.needs.values())

    @property
    def is_enough(self) -> bool:
        """Whether there is room for all needs."""
        return self.free_mb >= self.needed_mb

    def summary(self) -> str:
        """Free and needed amounts, in one line for a person."""
        parts = ", ".join(f"{purpose} {gigabytes(mb)}" for purpose, mb in self.needs.items())
        return f"{gigabytes(self.free_mb)} are free for {self.folder}; {gigabytes(self.needed_mb)} are needed ({parts})"


def gigabytes(mb: int) -> str:
    """Format an amount for a person."""
    return f"{mb / 1000:.1f} GB"


def disks(spec: Spec) -> list[Disk]:
    """Each file system that the lab of `spec` will write to, with the room that it still needs there."""
    by_device: dict[int, list[Need]] = {}
    for need in _needs(spec):
        by_device.setdefault(nearest(need.folder).stat().st_dev, []).append(need)
    return [_disk(needs) for needs in by_device.values()]


def nearest(folder: Path) -> Path:
    """The folder itself, or its nearest parent that exists."""
    # os.path: a folder that this user may not read counts as absent.
    return next(path for path in (folder, *folder.parents) if os.path.exists(path))  # noqa: PTH110


def _needs(spec: Spec) -> list[Need]:
    missing = box.missing(spec)
    parts_mb = sum(mb for part in missing for name, mb in PART_MB.items() if part.name.startswith(name))
    machines_mb = MACHINE_MB * len(spec.nodes)
    box_mb, running_mb = BOX_MB + machines_mb + SPARE_MB, machines_mb + SPARE_MB
    needs = [
        Need("the box and its machines", state.docker_data(), box_mb, box_mb if missing else running_mb),
        Need("the lab's state", paths.state(), STATE_MB, STATE_MB),
    ]
    if missing:
        parts_mb += SCRATCH_MB
        needs.append(Need("parts of the box", paths.cache() / "components", parts_mb, parts_mb))
    if not all(part.folder.exists() for part in box.programs(spec)):
        needs += [
            Need("Go's modules", _go_folder("GOMODCACHE"), GO_MODULES_MB, 0),
            Need("Go's builds", _go_folder("GOCACHE"), GO_BUILDS_MB, 0),
        ]
    return needs


def _go_folder(variable: str) -> Path:
    program = go.on_path()
    return Path(run(program, "env", variable).strip()) if program else Path.home()


def _disk(needs: list[Need]) -> Disk:
    folder = needs[0].folder
    free_mb = shutil.disk_usage(nearest(folder)).free // MB
    disk = Disk(folder, {need.purpose: need.mb for need in needs}, free_mb)
    if disk.is_enough:
        return disk
    # Existing files are measured only here, because that takes long.
    return Disk(folder, {need.purpose: max(need.at_least_mb, need.mb - _size_mb(need)) for need in needs}, free_mb)


def _size_mb(need: Need) -> int:
    if need.mb == need.at_least_mb:
        return 0
    device = nearest(need.folder).stat().st_dev
    files = [Path(folder, name) for folder, _, names in os.walk(need.folder) for name in names]
    stats = [file.lstat() for file in files if os.path.lexists(file)]
    # The machines' layers are mounted inside, as other devices: their files would count twice.
    return sum(stat.st_blocks for stat in stats if stat.st_dev == device) * 512 // MB


@contextmanager
def explaining_full_disk(spec: Spec) -> Iterator[None]:
    """If a full disk ends the block, raise LabFailed with the needed room; any other error stays as it is."""
    try:
        yield
    except (LabFailed, CommandFailed, OSError) as error:
        if not _is_full(error):
            raise
        written = disks(spec)
        full = [disk for disk in written if not disk.is_enough]
        raise LabFailed(f"{error}\n{_message(full or written)}") from error


def lacking(spec: Spec) -> str:
    """The message for disks that have too little room left for running machines of `spec`; empty if all have enough."""
    full = [disk for disk in disks(spec) if disk.free_mb < min(SPARE_MB, disk.needed_mb)]
    return _message(full) if full else ""


def _message(full: list[Disk]) -> str:
    lines = "\n".join(f"- {disk.summary()}" for disk in full)
    return f"The disk is full, or nearly so. After the removal of unfinished parts:\n{lines}\n{REMEDY}, and try again."


def _is_full(error: Exception) -> bool:
    output = error.output if isinstance(error, CommandFailed) else str(error)
    return (isinstance(error, OSError) and error.errno in FULL) or os.strerror(errno.ENOSPC).lower() in output.lower()
