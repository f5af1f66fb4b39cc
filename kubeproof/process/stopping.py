"""How a person, or a CI system, stops a run: Ctrl-C, SIGTERM and a closed terminal alike, once."""

import signal
import sys
from typing import Self

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopping:
    """In its block the first of these signals raises KeyboardInterrupt; others are answered."""

    def __init__(self) -> None:
        self.ending = False

    def __enter__(self) -> Self:
        """Take them over."""
        self._handled = {stop: signal.signal(stop, self._stopped) for stop in STOPS}
        return self

    def _stopped(self, *_: object) -> None:
        if self.ending:
            sys.stderr.write("already ending what was started: that takes some 15 s\n")
            return
        self.ending = True
        raise KeyboardInterrupt

    def __exit__(self, *_: object) -> None:
        """They are again whose they were."""
        for stop, handler in self._handled.items():
            signal.signal(stop, handler)
