"""The box: the image that Vagrant's Docker provider makes machines of, and the bundle that goes with it."""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

from kubeproof.lab import debian, go, images, packages, sources, uplink
from kubeproof.lab.cache import Component, provide
from kubeproof.process import paths
from kubeproof.process.commands import CommandFailed, run, threads
from kubeproof.process.fingerprint import fingerprint
from kubeproof.process.progress import Progress
from kubeproof.spec import Spec

RECIPE = paths.RECIPES / "box"
DRAFT = "box-"
DISK = "kubeproof/disk"
MACHINE, RUNTIME = "usr/sbin/machine", "var/lib/containerd"  # below a machine's root


@dataclass(frozen=True)
class Box:
    """An image on the lab's daemon, and the folder that its machines mount read-only."""

    image: str
    bundle: Path


def programs(spec: Spec) -> list[Component]:
    """The parts that are programs, released or built of Go modules."""
    return [*sources.of(spec, *sources.versions(spec)).values()]


def systems(spec: Spec) -> list[Component]:
    """The parts that are made of Debian packages."""
    return [debian.machine(tuple(spec.machines.admin_packages)), debian.tools()]


def missing(spec: Spec) -> list[Component]:
    """What would have to be built for `spec` before machines could be made."""
    parts = [*programs(spec), *systems(spec), packages.bundle(spec), images.store(spec, {})]
    return [part for part in parts if not part.folder.exists()]


def prepare(spec: Spec, progress: Progress) -> None:
    """Make what takes long and needs no daemon: programs on one thread, since Go uses every core, Debian's beside it.

    What is cached is not made again. Where one fails, nothing more is begun;
    where the person stops the run, what is under way is ended.
    """
    wanted = len(_lasting(spec))
    failed = Event()
    if not wanted:
        return
    maker = sources.Provider(spec.lab, progress)
    lines: list[list[Callable[[], Path]]] = [
        [partial(maker.provide, name, version) for name, version in sources.versions(spec).items()],
        [partial(provide, system, progress) for system in systems(spec)],
    ]
    with (
        uplink.of(spec.lab),
        progress.task(f"building {wanted} parts of the box") as task,
        threads(2) as pool,
    ):
        go.toolchain()

        def make_each(line: list[Callable[[], Path]]) -> None:
            for make in line:
                if failed.is_set():
                    return
                try:
                    make()
                except BaseException:
                    failed.set()
                    raise
                task.amount(wanted - len(_lasting(spec)), wanted)

        for future in [pool.submit(make_each, line) for line in lines]:
            future.result()


def _lasting(spec: Spec) -> list[Component]:
    """What takes long and is still to be made."""
    return [part for part in (*programs(spec), *systems(spec)) if not part.folder.exists()]


def tag(spec: Spec) -> str:
    """The name of the box for `spec`, which changes with anything that it is made of."""
    machine = debian.machine(tuple(spec.machines.admin_packages))
    return f"kubeproof/box:{fingerprint(RECIPE, machine.key, images.store(spec, {}).key, packages.bundle(spec).key)}"


def provide_box(spec: Spec, docker: dict[str, str], progress: Progress) -> Box:
    """The box for `spec` on the daemon that `docker` names; what is cached is not built again."""
    with uplink.of(spec.lab):
        return _provide_box(spec, docker, progress)


def _provide_box(spec: Spec, docker: dict[str, str], progress: Progress) -> Box:
    bundle = provide(packages.bundle(spec), progress)
    machine = debian.machine(tuple(spec.machines.admin_packages))
    store = images.store(spec, docker)
    image = tag(spec)
    if not _exists(image, docker):
        root, filled = provide(machine, progress), provide(store, progress)
        for left in paths.cache().glob(f"{DRAFT}*"):  # by a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        with progress.task("building box"), tempfile.TemporaryDirectory(prefix=DRAFT, dir=paths.cache()) as folder:
            run("docker", "import", _disk(Path(folder), root, filled), DISK, env=docker)
            run("docker", "build", "--quiet", f"--tag={image}", RECIPE, env=docker)
            run("docker", "rmi", DISK, env=docker)
        _remove_others(image, docker)
    return Box(image, bundle)


def _disk(folder: Path, root: Path, store: Path) -> Path:
    """All that is on a machine's disk in one archive, which the daemon reads once.

    The machine's own, and the images: their blobs and unpacked layers in the box's folder that all machines share, and
    in /var the runtime's, which leads there.
    """
    disk, beside = folder / "disk.tar", folder / "beside"
    shared = str(images.SHARED.relative_to("/"))
    shutil.copyfile(root / "root.tar", disk)
    for place, part in ((f"{shared}/blobs", "blobs"), (RUNTIME, "containerd")):
        shutil.copytree(store / part, beside / place, copy_function=os.link, symlinks=True)
    (beside / MACHINE).parent.mkdir()
    shutil.copy(RECIPE / "machine", beside / MACHINE)
    # The folders that these are in are the machine's own, and the daemon takes nothing twice.
    run(
        "tar", "--append", f"--file={disk}", f"--directory={beside}", "--owner=0", "--group=0", shared, RUNTIME, MACHINE
    )
    run("tar", "--concatenate", f"--file={disk}", store / "snapshots.tar")
    return disk


def _remove_others(image: str, docker: dict[str, str]) -> None:
    """A box is two gigabytes: only the one in use is kept, and no half-made one; its parts stay in the cache."""
    repository = image.split(":", maxsplit=1)[0]
    there = run("docker", "images", "--format={{.Repository}}:{{.Tag}}", repository, env=docker).split()
    others = [other for other in there if other != image]
    if others:
        run("docker", "rmi", *others, env=docker)
    run("docker", "image", "prune", "--force", env=docker)


def _exists(image: str, docker: dict[str, str]) -> bool:
    try:
        run("docker", "image", "inspect", image, env=docker)
    except CommandFailed:
        return False
    return True
