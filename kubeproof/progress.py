"""What is being done, how far it is and how long it has taken: live in a terminal, a line each in a log."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

QUIET_SECONDS = 2.0  # what takes less is not worth a line in a log


class _Terminal(io.TextIOBase):
    """A terminal that may be closed at any time: what was started is to be ended even so, though nobody reads of it."""

    def __init__(self, terminal: TextIO | None) -> None:
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal is not None and self._terminal.isatty()

    def fileno(self) -> int:
        return self._terminal.fileno() if self._terminal else -1

    def write(self, text: str) -> int:
        with suppress(OSError):
            if self._terminal:
                self._terminal.write(text)
                self._terminal.flush()
        return len(text)


class Task:
    """One thing under way."""

    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def detail(self, text: str) -> None:
        """Say which part of it is being done now."""
        self._bars.update(self._task, detail=text)

    def amount(self, done: int, total: int) -> None:
        """Say how far it is."""
        self._bars.update(self._task, completed=done, total=total)


class Progress:
    """Tasks on one console, from any thread; nothing at all when `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        terminal = cast("TextIO", _Terminal(sys.__stderr__))  # rich writes, and asks for no more
        self._console = Console(file=terminal, quiet=quiet, highlight=False, soft_wrap=True)
        self._lock = threading.Lock()
        self._running = 0
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("[dim]{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )

    def say(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, markup=False)

    @contextmanager
    def task(self, description: str) -> Iterator[Task]:
        """Show `description` while the block runs, then how long it took."""
        started = time.monotonic()
        self._begin()
        task = self._bars.add_task(description, total=None, detail="")
        if not self._console.is_terminal:
            self.say(f"{description} ...")
        try:
            yield Task(self._bars, task)
        except BaseException:
            self.say(f"{description}: failed after {time.monotonic() - started:.0f} s")
            raise
        else:
            seconds = time.monotonic() - started
            if seconds >= QUIET_SECONDS:
                self.say(f"{description}: {seconds:.0f} s")
        finally:
            self._bars.remove_task(task)
            self._end()

    def _begin(self) -> None:
        with self._lock:
            self._running += 1
            if self._running == 1 and self._console.is_terminal:
                self._bars.start()

    def _end(self) -> None:
        with self._lock:
            self._running -= 1
            if self._running == 0 and self._console.is_terminal:
                self._bars.stop()
