"""Where kubeproof finds what comes with it, and where it keeps what outlives a run.

The box's parts are kept in the user's cache, a kept lab in the user's state; nothing is written beside the program.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
import psutil

_PACKAGE = Path(__file__).resolve().parent
# A wheel carries the checkout's folders inside the package (see pyproject.toml), where they are as they are there.
CHECKOUT = next(folder for folder in (_PACKAGE / "checkout", _PACKAGE.parent) if (folder / "provision").is_dir())
CHECKS = CHECKOUT / "tests"
RECIPES = CHECKOUT / "lab"
DRAFTS = ".*.draft"
TEMPORARY = "kubeproof-"  # and the number of the process that made it
MUTANTS = CHECKOUT / "provision" / "mutants.yaml"
DEFAULT_SPEC = CHECKOUT / "provision" / "clusters" / "default.yaml"


def cache() -> Path:
    """The folder of built components; it can be deleted at any time when no lab runs."""
    return Path(platformdirs.user_cache_dir("kubeproof"))


def lab() -> str:
    """The lab's name: of its folder and its control group.

    A machine has one, unless KUBEPROOF_LAB names another for the specs whose ssh ports are others too.
    """
    return os.environ.get("KUBEPROOF_LAB", "kubeproof")


def state() -> Path:
    """The folder of the lab that runs on this machine, if any."""
    return Path(platformdirs.user_state_dir(lab()))


@contextmanager
def temporary() -> Iterator[Path]:
    """A folder of this process alone, removed with the block; so are those of processes that were killed."""
    forget_the_killed()
    with tempfile.TemporaryDirectory(prefix=f"{TEMPORARY}{os.getpid()}-") as folder:
        yield Path(folder)


def forget_the_killed() -> None:
    """Remove the temporary folders of processes that are no more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*-*"):
        maker = folder.name.removeprefix(TEMPORARY).partition("-")[0]
        if maker.isdecimal() and not psutil.pid_exists(int(maker)):
            shutil.rmtree(folder, ignore_errors=True)  # it may be another person's


def write_whole(file: Path, text: str) -> None:
    """Write a file that its owner alone may read, so that whoever reads it finds the old one or all of the new one."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".draft", dir=file.parent)
    os.close(descriptor)
    draft = Path(name)  # nobody else's: xdist's workers write the same file at a time
    try:
        draft.write_text(text)
        draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)  # where the disk was full
