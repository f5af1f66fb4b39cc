"""What is being done, how far it is and how long it has taken: live in a terminal, a line each in a log."""

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

QUIET_SECONDS = 2.0  # what takes less is not worth a line in a log
SILENT_SECONDS = 30.0  # after which a person wonders what is being waited for
LOOK_SECONDS = 1.0


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

    def __init__(self, bars: Bars, task: TaskID, description: str) -> None:
        self._bars = bars
        self._task = task
        self._description = description
        self._known: object = ""
        self._detail = ""
        self._news = time.monotonic()
        self._patience = SILENT_SECONDS

    def detail(self, text: str) -> None:
        """Say which part of it is being done now."""
        self._bars.update(self._task, detail=escape(text))
        self._detail = text
        self._note(text)

    def amount(self, done: int, total: int) -> None:
        """Say how far it is."""
        self._bars.update(self._task, completed=done, total=total)
        self._note((done, total))

    def _note(self, known: object) -> None:
        if known != self._known:
            self._known, self._news, self._patience = known, time.monotonic(), SILENT_SECONDS

    def silence(self) -> str:
        """What to say of it if nothing has been heard of it for long; then it is silent for twice as long."""
        seconds = time.monotonic() - self._news
        if seconds < self._patience:
            return ""
        self._patience = 2 * seconds
        waited_for = f", waiting for {self._detail}" if self._detail else ""
        return f"{self._description}: nothing new for {seconds:.0f} s{waited_for}"


class Progress:
    """Tasks on one console, from any thread; nothing at all when `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        terminal = cast("TextIO", _Terminal(sys.__stderr__))  # rich writes, and asks for no more
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
        """Show `description` while the block runs, then how long it took."""
        started = time.monotonic()
        bar = self._bars.add_task(description, total=None, detail="")
        task = Task(self._bars, bar, description)
        self._begin(task)
        if not self._console.is_terminal:
            self.say(f"{description} ...")
        try:
            yield task
        except BaseException:
            self.say(f"{description}: failed after {time.monotonic() - started:.0f} s")
            raise
        else:
            seconds = time.monotonic() - started
            if seconds >= QUIET_SECONDS:
                self.say(f"{description}: {seconds:.0f} s")
        finally:
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
        """Say of what nothing is heard, until nothing is under way."""
        while not idle.wait(LOOK_SECONDS):
            for text in [task.silence() for task in [*self._running]]:
                if text:
                    self.say(text)
