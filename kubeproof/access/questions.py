"""The last command of each thread on a machine, so that a report can say how to run it again."""

from contextvars import ContextVar
from typing import NamedTuple


class Question(NamedTuple):
    """A command, and the machine on which it ran as root."""

    machine: str = ""
    command: str = ""


NOTHING = Question()
_LAST = ContextVar("_LAST", default=NOTHING)  # each thread has its own: an experiment's watch runs beside its checks


def note(machine: str, command: str) -> None:
    """Remember the command as this thread's last."""
    _LAST.set(Question(machine, command))


def last() -> Question:
    """This thread's last command since `forget`; an empty question if there is none."""
    return _LAST.get()


def forget() -> None:
    """Drop this thread's last command."""
    _LAST.set(NOTHING)
