"""Built things kept by the content of what they are built from; a part half made is never used."""

import inspect
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from kubeproof.process import paths
from kubeproof.process.commands import is_stopped
from kubeproof.process.fingerprint import fingerprint
from kubeproof.process.progress import Progress

KEPT_SECONDS = 14 * 24 * 3600


@dataclass(frozen=True)
class Component:
    """Something that `build` makes in an empty folder, from `recipe` alone.

    `recipe` holds texts (versions, options, keys of other components) and the files and folders that are read.
    """

    name: str
    recipe: tuple[str | Path, ...]
    build: Callable[[Path], None]

    @property
    def key(self) -> str:
        """The name and a digest of all that the result depends on, the builder's own source included."""
        builder = inspect.getsource(inspect.getmodule(self.build) or self.build)
        return f"{self.name}-{fingerprint(builder, *self.recipe)}"

    @property
    def folder(self) -> Path:
        """Where the result is kept once it is made."""
        return paths.cache() / "components" / self.key


def provide(component: Component, progress: Progress) -> Path:
    """The folder of `component`, built now unless it is cached; raises what its builder raises."""
    folder = component.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        os.utime(folder)
        return folder
    sweep()
    with FileLock(f"{folder}.lock").acquire(cancel_check=is_stopped):
        if not folder.exists():
            with progress.task(f"building {component.name}"):
                made = Path(tempfile.mkdtemp(prefix=f".{component.key}.", dir=folder.parent))
                try:
                    component.build(made)
                    made.chmod(0o755)
                    made.rename(folder)
                    _forget_old(folder.parent)
                finally:
                    shutil.rmtree(made, ignore_errors=True)
    return folder


def _forget_old(components: Path) -> None:
    """Remove what no run has asked for in a long time."""
    for folder in components.glob("[!.]*"):
        if folder.is_dir() and time.time() - folder.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove what killed builds left; what is being built now stays, whoever builds it."""
    for left in (paths.cache() / "components").glob(".*"):
        lock = left.with_name(f"{left.stem.removeprefix('.')}.lock")
        if lock.exists():
            with suppress(Timeout), FileLock(lock).acquire(timeout=0):
                shutil.rmtree(left, ignore_errors=True)
