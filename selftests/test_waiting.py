"""A wait ends with what it waited for, or says what it last saw."""

import itertools

import pytest

from kubeproof.process.waiting import NotInTime, wait_for


def test_it_returns_what_it_saw() -> None:
    """The sight that fulfilled the condition."""
    sights = itertools.count()
    assert wait_for("three", lambda: next(sights), until=lambda n: n == 3, within=5, every=0.01) == 3


def test_time_out_quotes_the_last_sight() -> None:
    """A person reads what is still missing."""
    with pytest.raises(NotInTime, match=r"w1 is Ready: not within 0.05 s; last seen: 'Unknown'"):
        wait_for("w1 is Ready", lambda: "Unknown", until=lambda s: s == "True", within=0.05, every=0.01)


def test_an_error_while_looking_is_a_sight() -> None:
    """What is waited for may be down for now."""

    def look() -> None:
        raise ConnectionError("refused")

    with pytest.raises(NotInTime, match=r"last seen: ConnectionError\('refused'\)"):
        wait_for("the API answers", look, within=0.05, every=0.01)


def test_time_out_tells_expected_from_seen() -> None:
    """A report has a place for each."""
    with pytest.raises(NotInTime) as late:
        wait_for("w1 is Ready", lambda: "Unknown", until=lambda s: s == "True", within=0.05, every=0.01)
    assert (late.value.expected, late.value.seen) == ("w1 is Ready, within 0.05 s", "'Unknown'")
