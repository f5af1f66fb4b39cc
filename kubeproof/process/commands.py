"""Programs of the machine, run so that a failure says what was run and what it said last, and none outlives the run."""

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

LAST_LINES = 20
COMMAND_NOT_FOUND = 127  # the shell's status for it
PR_SET_PDEATHSIG = 1  # prctl(2)
END_SECONDS = 10
STOP_SECONDS = 0.5  # how long a thread's program may go on after the person has stopped the run
NO_ROOM_BYTES = 1 << 20
NO_ROOM_SECONDS = 5
_STOPS: ContextVar[tuple[Event, ...]] = ContextVar("stops", default=())


class CommandFailed(Exception):
    """A program did not end well, or not in time; the message has its last lines, `output` all of them."""

    def __init__(self, args: Sequence[str], how: str, output: str) -> None:
        last = "\n".join(output.strip().splitlines()[-LAST_LINES:])
        super().__init__(f"`{shlex.join(args)}` {how}:\n{last or 'it said nothing'}")
        self.output = output


class _NoRoom(subprocess.TimeoutExpired):
    """A program whose disk is full has said nothing more."""


@contextmanager
def threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads for which a KeyboardInterrupt in the block counts as well: it comes to the main thread alone.

    What they run() is ended then; else a person who stops a build would wait for its end.
    """
    stop = Event()
    with ThreadPoolExecutor(count, initializer=_STOPS.set, initargs=((*_STOPS.get(), stop),)) as pool:
        try:
            yield pool
        except KeyboardInterrupt:
            stop.set()
            raise


def is_stopped() -> bool:
    """Whether this thread is to end what it does."""
    return any(stop.is_set() for stop in _STOPS.get())


def end_if_stopped() -> None:
    """Raise KeyboardInterrupt in a thread that is to end what it does."""
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

    `env` is added to this process's environment; `timeout` is in seconds; `fills` is where a program writes that would
    wait, without a word, on a disk that is full.
    Raises CommandFailed, at the time-out, or some seconds after that disk is full, once the program has been ended;
    KeyboardInterrupt in one of threads() that is stopped.
    """
    end_if_stopped()
    words = [str(word) for word in args]
    if not shutil.which(words[0]):
        raise CommandFailed(
            words, _ended(COMMAND_NOT_FOUND), f"{words[0]} is not installed: `kubeproof doctor` says what brings it"
        )
    process = subprocess.Popen(
        dying_with_us(*words),
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, errors = _said(process, timeout, fills)
    except subprocess.TimeoutExpired as late:
        # Bytes, also of a process whose output is text.
        said = b"".join(part for part in (late.stdout, late.stderr) if isinstance(part, bytes)).decode(errors="replace")
        if isinstance(late, _NoRoom):
            full = f"{said}\n{fills}: {os.strerror(errno.ENOSPC)}"
            raise CommandFailed(words, "did not end when its disk was full", full) from None
        raise CommandFailed(words, f"did not end within {timeout:g} s", said) from None
    finally:
        end(process)
    if process.returncode != 0:
        raise CommandFailed(words, _ended(process.returncode), output + errors)
    return output


def _said(process: subprocess.Popen[str], timeout: float, fills: Path | None) -> tuple[str, str]:
    had_room = time.monotonic()
    deadline = had_room + timeout
    looks = bool(_STOPS.get() or fills)
    while True:
        left = max(deadline - time.monotonic(), 0)
        try:
            return process.communicate(timeout=min(left, STOP_SECONDS) if looks else left)
        except subprocess.TimeoutExpired as late:
            end_if_stopped()
            now = time.monotonic()
            if not fills or shutil.disk_usage(fills).free >= NO_ROOM_BYTES:
                had_room = now
            if now >= had_room + NO_ROOM_SECONDS:
                raise _NoRoom(late.cmd, late.timeout, late.stdout, late.stderr) from None
            if now >= deadline:
                raise


def _ended(status: int) -> str:
    return f"ended with status {status}"


def dying_with_us(*command: str) -> list[str]:
    """`command` as it is started to be killed by the kernel when the thread that started it dies, however it dies.

    PR_SET_PDEATHSIG(2const), which only Linux has.
    """
    return ["setpriv", "--pdeathsig", "KILL", *command] if sys.platform == "linux" else [*command]


def die_with_parent() -> None:
    """Be killed by the kernel when the thread that started this process dies, however it dies; only Linux does it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def alone(*command: str | Path) -> list[str | Path]:
    """`command` as it is started to take all with it that it starts and mounts: pid_namespaces(7), for root."""
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *command]


def end(process: subprocess.Popen[str]) -> None:
    """End what still runs of a program that leads a session of its own; ask it first."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(END_SECONDS)
