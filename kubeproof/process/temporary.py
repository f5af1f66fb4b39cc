"""Temporary folders of one process; a later process removes them if their owner was killed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

PREFIX = "kubeproof-"  # followed by the id of the process that owns the folder


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is removed with the block; folders of killed processes are removed first."""
    remove_abandoned()
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-") as name:
        yield Path(name)


def remove_abandoned() -> None:
    """Remove the folders of processes that no longer exist."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        owner = path.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(path, ignore_errors=True)  # another user may own it
