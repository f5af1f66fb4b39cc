"""The box: the image from which Vagrant's Docker provider makes machines, and the bundle that they mount."""

import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event

from kubeproof.lab import debian, go, images, packages, sources, uplink
from kubeproof.lab.cache import Component, provide
from kubeproof.process import paths
from kubeproof.process.commands import run, threads
from kubeproof.process.fingerprint import fingerprint
from kubeproof.process.progress import Progress
from kubeproof.spec import Spec

RECIPE = paths.RECIPES / "box"
NAME, DRAFT = "kubeproof/box", "box-"
DISK = "kubeproof/disk"
MACHINE, RUNTIME = "usr/sbin/machine", "var/lib/containerd"  # relative to a machine's root


def programs(spec: Spec) -> list[Component]:
    """The parts that contain programs, from releases or Go modules."""
    return [*sources.of(spec, *sources.versions(spec)).values()]


def systems(spec: Spec) -> list[Component]:
    """The parts that consist of Debian packages."""
    return [_machine(spec), debian.tools()]


def _machine(spec: Spec) -> Component:
    return debian.machine(tuple(spec.machines.admin_packages))


def missing(spec: Spec) -> list[Component]:
    """The parts that must be built for `spec` before a machine can start."""
    parts = [*programs(spec), *systems(spec), packages.bundle(spec), images.store(spec, {})]
    return [part for part in parts if not part.folder.exists()]


def prepare(spec: Spec, progress: Progress) -> None:
    """Build the missing programs and Debian systems, which take long and need no daemon.

    Programs are built one after the other, because Go uses every core; Debian's systems beside them.
    After a failure no further build starts. A KeyboardInterrupt ends the running ones.
    """
    total = len(_slow_parts(spec))
    failed = Event()
    if not total:
        return
    provider = sources.Provider(spec.lab, progress)
    lines: list[list[Callable[[], Path]]] = [
        [partial(provider.provide, name, version) for name, version in sources.versions(spec).items()],
        [partial(provide, system, progress) for system in systems(spec)],
    ]
    with (
        uplink.of(spec.lab),
        progress.task(f"building {total} parts of the box") as task,
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
                task.amount(total - len(_slow_parts(spec)), total)

        for future in [pool.submit(make_each, line) for line in lines]:
            future.result()


def _slow_parts(spec: Spec) -> list[Component]:
    """The missing parts that prepare() builds."""
    return [part for part in (*programs(spec), *systems(spec)) if not part.folder.exists()]


def tag(spec: Spec) -> str:
    """The name of the box for `spec`; it contains a digest of all its parts."""
    parts = (_machine(spec), images.store(spec, {}), packages.bundle(spec))
    return f"{NAME}:{fingerprint(RECIPE, *[part.key for part in parts])}"


def provide_box(spec: Spec, docker: dict[str, str], progress: Progress) -> tuple[str, Path]:
    """The image for `spec` on the daemon that `docker` names, built if it is missing, and the folder of its bundle."""
    with uplink.of(spec.lab):
        bundle = provide(packages.bundle(spec), progress)
        store, image = images.store(spec, docker), tag(spec)
        if not run("docker", "images", "--quiet", image, env=docker):
            _build(image, provide(_machine(spec), progress), provide(store, progress), docker, progress)
    return image, bundle


def _build(image: str, root: Path, store: Path, docker: dict[str, str], progress: Progress) -> None:
    for draft in paths.cache().glob(f"{DRAFT}*"):  # of a killed run
        shutil.rmtree(draft, ignore_errors=True)
    with progress.task("building box"), tempfile.TemporaryDirectory(prefix=DRAFT, dir=paths.cache()) as folder:
        run("docker", "import", _disk(Path(folder), root, store), DISK, env=docker)
        run("docker", "build", "--quiet", f"--tag={image}", RECIPE, env=docker)
        run("docker", "rmi", DISK, env=docker)
    # Each box has two gigabytes: only this one is kept. Its parts stay in the cache.
    boxes = run("docker", "images", "--format={{.Repository}}:{{.Tag}}", NAME, env=docker).split()
    if old := [box for box in boxes if box != image]:
        run("docker", "rmi", *old, env=docker)
    run("docker", "image", "prune", "--force", env=docker)


def _disk(folder: Path, root: Path, store: Path) -> Path:
    """The content of a machine's disk in one archive, which the daemon reads once.

    It is the machine's system and the images: their blobs and unpacked layers in the folder that all machines share,
    and in /var the runtime's folder, whose links lead there.
    """
    disk, beside = folder / "disk.tar", folder / "beside"
    shared = str(images.SHARED.relative_to("/"))
    shutil.copyfile(root / "root.tar", disk)
    for target, part in ((f"{shared}/blobs", "blobs"), (RUNTIME, "containerd")):
        shutil.copytree(store / part, beside / target, copy_function=os.link, symlinks=True)
    (beside / MACHINE).parent.mkdir()
    shutil.copy(RECIPE / "machine", beside / MACHINE)
    # Not their parent folders, which root.tar contains already: the daemon refuses an entry that comes twice.
    owner = ("--owner=0", "--group=0")
    run("tar", "--append", f"--file={disk}", f"--directory={beside}", *owner, shared, RUNTIME, MACHINE)
    run("tar", "--concatenate", f"--file={disk}", store / "snapshots.tar")
    return disk
