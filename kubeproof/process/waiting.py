"""Waiting for a named condition under a deadline; on time-out it says what was last seen."""

from collections.abc import Callable
from typing import TypeVar

import tenacity

T = TypeVar("T")

POLL_SECONDS = 0.25


class NotInTime(AssertionError):
    """A condition did not come true before its deadline: of a cluster, that is a failure.

    `within` is in seconds; `seen` is the last sight, as it is printed.
    """

    def __init__(self, what: str, within: float, seen: str) -> None:
        super().__init__(f"{what}: not within {within:g} s; last seen: {seen}")
        self.expected = f"{what}, within {within:g} s"
        self.seen = seen


def wait_for(
    what: str, look: Callable[[], T], *, until: Callable[[T], bool] = bool, within: float, every: float = POLL_SECONDS
) -> T:
    """Look until what is seen fulfils the condition `what`, and return it; seconds throughout.

    An exception while looking counts as a sight: what is waited for may be down for now.
    Raises NotInTime, which quotes the last sight.
    """
    try:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Exception) | tenacity.retry_if_result(lambda seen: not until(seen)),
            stop=tenacity.stop_after_delay(within),
            wait=tenacity.wait_fixed(every),
        )(look)
    except tenacity.RetryError as error:
        last = error.last_attempt
        sight = repr(last.exception()) if last.failed else repr(last.result())
        raise NotInTime(what, within, sight) from None
