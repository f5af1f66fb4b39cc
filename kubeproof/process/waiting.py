"""Waits for a named condition under a deadline; a time-out quotes the last observation."""

from collections.abc import Callable
from typing import TypeVar

import tenacity

T = TypeVar("T")

POLL_SECONDS = 0.25


class NotInTime(AssertionError):
    """A condition did not come true before its deadline; a check that waits for it fails.

    `within` is in seconds; `seen` is the last observation, as it is printed.
    """

    def __init__(self, what: str, within: float, seen: str) -> None:
        super().__init__(f"{what}: not within {within:g} s; last seen: {seen}")
        self.expected = f"{what}, within {within:g} s"
        self.seen = seen


def wait_for(
    what: str, look: Callable[[], T], *, until: Callable[[T], bool] = bool, within: float, every: float = POLL_SECONDS
) -> T:
    """Call `look` every so many seconds until its value fulfils the condition `what`, and return that value.

    An exception of `look` counts as an observation, because the service that it asks may be down for now.
    Raises NotInTime after `within` seconds.
    """
    try:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Exception)
            | tenacity.retry_if_result(lambda value: not until(value)),
            stop=tenacity.stop_after_delay(within),
            wait=tenacity.wait_fixed(every),
        )(look)
    except tenacity.RetryError as error:
        last = error.last_attempt
        raise NotInTime(what, within, repr(last.exception() if last.failed else last.result())) from None
