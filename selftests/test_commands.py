"""A program that can't go on does not block a run."""

import errno
import os
import re
import time
from pathlib import Path

import pytest

from kubeproof.process.commands import CommandFailed, run


def test_a_program_that_waits_on_a_full_disk_is_ended(small_disk: Path) -> None:
    """apt-get waits there silently."""
    began = time.monotonic()
    with pytest.raises(CommandFailed, match="did not end when its disk was full") as failed:
        run("sh", "-c", f"dd if=/dev/zero of={small_disk / 'file'}; exec sleep 600", fills=small_disk)
    assert time.monotonic() - began < 60
    assert re.search(os.strerror(errno.ENOSPC), failed.value.output)


def test_a_program_is_not_ended_while_its_disk_has_room(small_disk: Path) -> None:
    """However long it prints nothing."""
    assert run("sh", "-c", "sleep 7; echo done", fills=small_disk) == "done\n"
