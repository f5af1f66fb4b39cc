"""Shows each task, its progress and its duration: as bars in a terminal, as lines in a log."""

import io
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO, cast

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

QUIET_SECONDS = 2.0  # a shorter task gets no line about its duration
SILENT_SECONDS = 30.0  # after so long without news a line names what the task waits for
LOOK_SECONDS = 1.0


class _Terminal(io.TextIOBase):
    """A terminal that may be closed at any time: the run must go on and clean up even so."""

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
    """One task under way."""

    def __init__(self, bars: Bars, task: TaskID, description: str) -> None:
        self._bars = bars
        self._task = task
        self._description = description
        self._latest: object = ""
        self._detail = ""
        self._changed = time.monotonic()
        self._patience = SILENT_SECONDS

    def detail(self, text: str) -> None:
        """Show which part is being done now."""
        self._bars.update(self._task, detail=escape(text))
        self._detail = text
        self._note(text)

    def amount(self, done: int, total: int) -> None:
        """Show how much of the total is done."""
        self._bars.update(self._task, completed=done, total=total)
        self._note((done, total))

    def _note(self, latest: object) -> None:
        if latest != self._latest:
            self._latest, self._changed, self._patience = latest, time.monotonic(), SILENT_SECONDS

    def silence(self) -> str:
        """A line about a task without news, or nothing; the next line comes after twice as long."""
        seconds = time.monotonic() - self._changed
        if seconds < self._patience:
            return ""
        self._patience = 2 * seconds
        waited_for = f", waiting for {self._detail}" if self._detail else ""
        return f"{self._description}: nothing new for {seconds:.0f} s{waited_for}"


class Progress:
    """Tasks on one console, from any thread; `quiet` shows nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        terminal = cast("TextIO", _Terminal(sys.__stderr__))  # rich only writes to it
        self._console = Console(file=terminal, quiet=quiet, highlight=False, soft_wrap=True)
        self._lock = threading.Lock()
        self._running: list[Task] = []
        self._idle = threading.Event()
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
        """Show `description` while the block runs, then its duration."""
        started, outcome = time.monotonic(), "failed after "
        bar = self._bars.add_task(description, total=None, detail="")
        task = Task(self._bars, bar, description)
        self._begin(task)
        if not self._console.is_terminal:
            self.say(f"{description} ...")
        try:
            yield task
            outcome = ""
        finally:
            seconds = time.monotonic() - started
            if outcome or seconds >= QUIET_SECONDS:
                self.say(f"{description}: {outcome}{seconds:.0f} s")
            self._bars.remove_task(bar)
            self._end(task)

    def _begin(self, task: Task) -> None:
        with self._lock:
            self._running.append(task)
            if len(self._running) > 1:
                return
            self._idle = threading.Event()
            threading.Thread(target=self._watch, args=(self._idle,), daemon=True).start()
            if self._console.is_terminal:
                self._bars.start()

    def _end(self, task: Task) -> None:
        with self._lock:
            self._running.remove(task)
            if self._running:
                return
            self._idle.set()
            if self._console.is_terminal:
                self._bars.stop()

    def _watch(self, idle: threading.Event) -> None:
        """Report silent tasks until no task is under way."""
        while not idle.wait(LOOK_SECONDS):
            for text in filter(None, [task.silence() for task in [*self._running]]):
                self.say(text)
