"""Programs that are run: none holds up a run that can't go on."""

import errno
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubeproof.commands import CommandFailed, run


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """One of 2 MiB."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_a_program_that_waits_on_a_full_disk_is_ended(disk: Path) -> None:
    """As apt-get does, of which nobody would ever hear."""
    began = time.monotonic()
    with pytest.raises(CommandFailed, match="did not end when its disk was full") as failed:
        run("sh", "-c", f"dd if=/dev/zero of={disk / 'file'}; exec sleep 600", fills=disk)
    assert time.monotonic() - began < 60
    assert re.search(os.strerror(errno.ENOSPC), failed.value.output)


def test_a_program_is_not_ended_while_its_disk_has_room(disk: Path) -> None:
    """However long it says nothing."""
    assert run("sh", "-c", "sleep 7; echo done", fills=disk) == "done\n"
