"""What a machine was asked last, so that a report can say how to ask it again."""

import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A command, and the machine on which it was run as root."""

    machine: str = ""
    command: str = ""


class _Thread(threading.local):
    # Of each thread its own: an experiment's watch asks in another than its facts.
    last = Question()


_THREAD = _Thread()


def note(machine: str, command: str) -> None:
    """This thread asks it now."""
    _THREAD.last = Question(machine, command)


def last() -> Question:
    """What this thread asked last since `forget`; an empty question if nothing."""
    return _THREAD.last


def forget() -> None:
    """From here on, this thread has asked nothing."""
    _THREAD.last = Question()
