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
    """A program did not end well, or not in time; the message has its last lines, `output` all of them."""

    def __init__(self, args: Sequence[str], how: str, output: str) -> None:
        last = "\n".join(output.strip().splitlines()[-LAST_LINES:])
        super().__init__(f"`{shlex.join(args)}` {how}:\n{last}")
        self.output = output


def run(*args: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 1800) -> str:
    """Run a program to its end and return its standard output.

    `env` is added to this process's environment; `timeout` is in seconds.
    Raises CommandFailed, at the time-out once the program has been ended.
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
        raise CommandFailed(
            words, _ended(COMMAND_NOT_FOUND), f"{words[0]} is not installed: run `make setup`"
        ) from None
    except subprocess.TimeoutExpired as late:
        said = b"".join(part for part in (late.stdout, late.stderr) if isinstance(part, bytes))
        how = f"did not end within {timeout:g} s"
        raise CommandFailed(words, how, said.decode(errors="replace") or "it said nothing") from None
    if done.returncode != 0:
        raise CommandFailed(words, _ended(done.returncode), done.stdout + done.stderr)
    return done.stdout


def _ended(status: int) -> str:
    return f"ended with status {status}"
