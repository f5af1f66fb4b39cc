"""How a person or a CI system stops a run: Ctrl-C, SIGTERM and a closed terminal all do the same."""

import signal
import sys
from typing import Self

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopping:
    """In its block the first of these signals raises KeyboardInterrupt; later ones only print a line."""

    def __init__(self) -> None:
        self.ending = False

    def __enter__(self) -> Self:
        """Replace the handlers of the signals."""
        self._previous = {stop: signal.signal(stop, self._stop) for stop in STOPS}
        return self

    def _stop(self, *_: object) -> None:
        if self.ending:
            sys.stderr.write("already cleaning up: that takes about 15 s\n")
            return
        self.ending = True
        raise KeyboardInterrupt

    def __exit__(self, *_: object) -> None:
        """Restore the previous handlers."""
        for stop, handler in self._previous.items():
            signal.signal(stop, handler)
