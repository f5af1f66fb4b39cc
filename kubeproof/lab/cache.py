"""Cache of built parts, each keyed by the content of its inputs; a failed build leaves nothing behind."""

import ast
import functools
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
    """A part that `build` makes in an empty folder, from `recipe` alone.

    `recipe` contains texts (versions, options, keys of other components) and paths of input files and folders.
    """

    name: str
    recipe: tuple[str | Path, ...]
    build: Callable[[Path], None]

    @property
    def key(self) -> str:
        """The name and a digest of all inputs: the recipe and the code of the builder's module."""
        source = inspect.getsource(inspect.getmodule(self.build) or self.build)
        return f"{self.name}-{fingerprint(_code(source), *self.recipe)}"

    @property
    def folder(self) -> Path:
        """The folder of the finished part."""
        return paths.cache() / "components" / self.key


class _CodeAlone(ast.NodeTransformer):
    def visit(self, node: ast.AST) -> ast.AST | None:
        """Drop imports and docstrings: a string as a statement does nothing."""
        is_string = isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)
        return None if is_string or isinstance(node, ast.Import | ast.ImportFrom) else self.generic_visit(node)


@functools.cache
def _code(source: str) -> str:
    """A Python source without comments, layout, docstrings and imports, so that rewording rebuilds nothing."""
    return ast.dump(_CodeAlone().generic_visit(ast.parse(source)))


def provide(component: Component, progress: Progress) -> Path:
    """Return the folder of `component`, built now unless it is cached; raises what its builder raises."""
    folder = component.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        os.utime(folder)
        return folder
    sweep()
    with FileLock(f"{folder}.lock").acquire(cancel_check=is_stopped):
        if not folder.exists():
            with progress.task(f"building {component.name}"):
                draft = Path(tempfile.mkdtemp(prefix=f".{component.key}.", dir=folder.parent))
                try:
                    component.build(draft)
                    draft.chmod(0o755)
                    draft.rename(folder)
                    _remove_unused(folder.parent)
                finally:
                    shutil.rmtree(draft, ignore_errors=True)
    return folder


def _remove_unused(components: Path) -> None:
    for folder in components.glob("[!.]*"):
        if folder.is_dir() and time.time() - folder.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove the drafts of killed builds; the draft of a running build stays, because its lock is held."""
    for draft in (paths.cache() / "components").glob(".*"):
        lock = draft.with_name(f"{draft.stem.removeprefix('.')}.lock")
        if lock.exists():
            with suppress(Timeout), FileLock(lock).acquire(timeout=0):
                shutil.rmtree(draft, ignore_errors=True)
