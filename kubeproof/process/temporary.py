"""Folders that are of use to one process alone, and are gone after it, killed or not."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

PREFIX = "kubeproof-"  # and the number of the process that made it


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of this process, removed with the block; so are those of processes that were killed."""
    forget_the_killed()
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-") as made:
        yield Path(made)


def forget_the_killed() -> None:
    """Remove the folders of processes that are no more."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        maker = left.name.removeprefix(PREFIX).partition("-")[0]
        if maker.isdecimal() and not psutil.pid_exists(int(maker)):
            shutil.rmtree(left, ignore_errors=True)  # it may be another person's
