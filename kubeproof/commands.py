"""Programs of the machine, run so that a failure says what was run and what it said last."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

LAST_LINES = 20
COMMAND_NOT_FOUND = 127  # the shell's status for it


class CommandFailed(Exception):
    """A program ended with another status than 0; the message has its last lines."""

    def __init__(self, args: Sequence[str], status: int, output: str) -> None:
        last = "\n".join(output.strip().splitlines()[-LAST_LINES:])
        super().__init__(f"`{shlex.join(args)}` ended with status {status}:\n{last}")


def run(*args: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 1800) -> str:
    """Run a program to its end and return its standard output.

    `env` is added to this process's environment; `timeout` is in seconds.
    Raises CommandFailed, or subprocess.TimeoutExpired once the program has been ended.
    """
    words = [str(word) for word in args]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        raise CommandFailed(words, COMMAND_NOT_FOUND, f"{words[0]} is not installed: run `make setup`") from None
    if done.returncode != 0:
        raise CommandFailed(words, done.returncode, done.stdout + done.stderr)
    return done.stdout
