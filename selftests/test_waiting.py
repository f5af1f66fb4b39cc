"""A wait returns the awaited value, or quotes the last observation."""

import itertools

import pytest

from kubeproof.process.waiting import NotInTime, wait_for


def test_it_returns_the_value() -> None:
    """The one that fulfilled the condition."""
    numbers = itertools.count()
    assert wait_for("three", lambda: next(numbers), until=lambda n: n == 3, within=5, every=0.01) == 3


def test_a_time_out_quotes_the_last_observation() -> None:
    """So that a person reads what is missing."""
    with pytest.raises(NotInTime, match=r"w1 is Ready: not within 0.05 s; last seen: 'Unknown'"):
        wait_for("w1 is Ready", lambda: "Unknown", until=lambda s: s == "True", within=0.05, every=0.01)


def test_an_error_is_an_observation() -> None:
    """The service may be down for now."""

    def look() -> None:
        raise ConnectionError("refused")

    with pytest.raises(NotInTime, match=r"last seen: ConnectionError\('refused'\)"):
        wait_for("the API answers", look, within=0.05, every=0.01)


def test_a_time_out_separates_expected_and_seen() -> None:
    """The report shows them in separate places."""
    with pytest.raises(NotInTime) as late:
        wait_for("w1 is Ready", lambda: "Unknown", until=lambda s: s == "True", within=0.05, every=0.01)
    assert (late.value.expected, late.value.seen) == ("w1 is Ready, within 0.05 s", "'Unknown'")
