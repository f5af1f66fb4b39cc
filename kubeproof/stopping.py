"""How a person, or a CI system, stops a run: Ctrl-C, SIGTERM and a closed terminal alike, once."""

from __future__ import annotations

import signal
import sys

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopping:
    """From when it is made to `unlearn`, the first of these signals raises KeyboardInterrupt; others are answered."""

    def __init__(self) -> None:
        self.ending = False
        self._handled = {stop: signal.signal(stop, self._stopped) for stop in STOPS}

    def _stopped(self, *_: object) -> None:
        if self.ending:
            sys.stderr.write("already ending what was started: that takes some 15 s\n")
            return
        self.ending = True
        raise KeyboardInterrupt

    def unlearn(self) -> None:
        """The signals are again whose they were."""
        for stop, handler in self._handled.items():
            signal.signal(stop, handler)
