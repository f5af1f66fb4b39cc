"""Runs programs; a failure names the command and its last output, and no program outlives the run."""

import ctypes
import errno
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from threading import Event
from typing import IO

LAST_LINES = 20
COMMAND_NOT_FOUND = 127  # the shell's exit status
PR_SET_PDEATHSIG = 1  # prctl(2)
END_SECONDS = 10
STOP_SECONDS = 0.5  # how long a thread's program may go on after the person stopped the run
NO_ROOM_BYTES = 1 << 20
NO_ROOM_SECONDS = 5
_STOPS: ContextVar[tuple[Event, ...]] = ContextVar("stops", default=())


class CommandFailed(Exception):
    """A program failed or took too long; the message quotes its last lines, `output` contains all of them."""

    def __init__(self, args: Sequence[str], how: str, output: str) -> None:
        last = "\n".join(output.strip().splitlines()[-LAST_LINES:])
        super().__init__(f"`{shlex.join(args)}` {how}:\n{last or 'no output'}")
        self.output = output


class _NoRoom(subprocess.TimeoutExpired):
    """The disk that a program writes to is full, and the program waits."""


@contextmanager
def threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads in which run() ends its program when a KeyboardInterrupt leaves the block.

    Python delivers the interrupt to the main thread only; without this, a stopped build would run to its end.
    """
    stop = Event()
    with ThreadPoolExecutor(count, initializer=_STOPS.set, initargs=((*_STOPS.get(), stop),)) as pool:
        try:
            yield pool
        except KeyboardInterrupt:
            stop.set()
            raise


def is_stopped() -> bool:
    """Whether this thread must end its work."""
    return any(stop.is_set() for stop in _STOPS.get())


def end_if_stopped() -> None:
    """Raise KeyboardInterrupt in a thread that must end its work."""
    if is_stopped():
        raise KeyboardInterrupt


def run(
    *args: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 1800,
    fills: Path | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    `env` is added to this process's environment; `timeout` is in seconds; `fills` is the folder of a program that would
    silently wait if its disk is full.
    Raises CommandFailed, also at the time-out or some seconds after that disk is full, when the program has been ended;
    KeyboardInterrupt in one of threads() that is stopped.
    """
    end_if_stopped()
    words = [str(word) for word in args]
    if not shutil.which(words[0]):
        hint = f"{words[0]} is not installed: `kubeproof doctor` names the package"
        raise CommandFailed(words, f"ended with status {COMMAND_NOT_FOUND}", hint)
    process = start(dying_with_us(*words), cwd=cwd, env={**os.environ, **(env or {})}, stderr=subprocess.PIPE)
    try:
        output, errors = _communicate(process, timeout, fills)
    except subprocess.TimeoutExpired as late:
        # TimeoutExpired has bytes, even for a process with text output.
        parts = [part for part in (late.stdout, late.stderr) if isinstance(part, bytes)]
        so_far = b"".join(parts).decode(errors="replace")
        if isinstance(late, _NoRoom):
            so_far += f"\n{fills}: {os.strerror(errno.ENOSPC)}"
            raise CommandFailed(words, "did not end when its disk was full", so_far) from None
        raise CommandFailed(words, f"did not end within {timeout:g} s", so_far) from None
    finally:
        end(process)
    if process.returncode != 0:
        raise CommandFailed(words, f"ended with status {process.returncode}", output + errors)
    return output


def _communicate(process: subprocess.Popen[str], timeout: float, fills: Path | None) -> tuple[str, str]:
    had_room = time.monotonic()
    deadline = had_room + timeout
    polls = bool(_STOPS.get() or fills)
    while True:
        left = max(deadline - time.monotonic(), 0)
        try:
            return process.communicate(timeout=min(left, STOP_SECONDS) if polls else left)
        except subprocess.TimeoutExpired as late:
            end_if_stopped()
            now = time.monotonic()
            if not fills or shutil.disk_usage(fills).free >= NO_ROOM_BYTES:
                had_room = now
            if now >= had_room + NO_ROOM_SECONDS:
                raise _NoRoom(late.cmd, late.timeout, late.stdout, late.stderr) from None
            if now >= deadline:
                raise


def dying_with_us(*command: str) -> list[str]:
    """Wrap a command so that the kernel kills it when the thread that started it dies, however it dies.

    PR_SET_PDEATHSIG(2const); only Linux has it.
    """
    return ["setpriv", "--pdeathsig", "KILL", *command] if sys.platform == "linux" else [*command]


def die_with_parent() -> None:
    """Let the kernel kill this process when the thread that started it dies, however it dies; only on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def alone(*command: str | Path) -> list[str | Path]:
    """Wrap a command of root's so that its end also ends its processes and mounts: pid_namespaces(7)."""
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *command]


def start(
    command: Sequence[str],
    *,
    cwd: str | Path | None,
    env: Mapping[str, str] | None = None,
    stdout: int | IO[str] = subprocess.PIPE,
    stderr: int = subprocess.STDOUT,
) -> subprocess.Popen[str]:
    """Start a program without input that leads its own session, so that end() can end it."""
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def end(process: subprocess.Popen[str]) -> None:
    """End a program that start() started: SIGTERM first, SIGKILL after some seconds."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(END_SECONDS)
