"""Tasks that take long are reported: by lines in a log, also after a time without news."""

import itertools

import pytest

from kubeproof.process import progress
from kubeproof.process.progress import Progress
from kubeproof.process.waiting import wait_for

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of a second without news is long."""
    monkeypatch.setattr(progress, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.02)


def test_a_log_has_a_line_for_the_start_and_for_a_silence(capfd: Captured) -> None:
    """Without a terminal's codes."""
    errors: list[str] = []

    def lines() -> list[str]:
        errors.append(capfd.readouterr().err)
        return "".join(errors).splitlines()

    with Progress().task("vagrant up") as task:
        task.detail("w1-k8s: config.sh [hosts]")
        wait_for("a second line", lambda: len(lines()) == 2, within=10)
    assert lines() == ["vagrant up ...", "vagrant up: nothing new for 0 s, waiting for w1-k8s: config.sh [hosts]"]


def test_news_are_no_silence(capfd: Captured) -> None:
    """However long the whole task takes."""
    counted = itertools.count()
    with Progress().task("downloading") as task:

        def download() -> int:
            done = next(counted)
            task.amount(done, 40)
            return done

        wait_for("all of it", download, until=lambda done: done == 40, within=10, every=0.02)
    assert "nothing new" not in capfd.readouterr().err


def test_quiet_prints_nothing(capfd: Captured) -> None:
    """Neither for the start nor for a silence."""
    with Progress(quiet=True).task("vagrant up") as task:
        polls = iter(range(30))
        wait_for("half a second", lambda: next(polls) == 29, within=10, every=0.02)
        task.detail("w1-k8s")
    assert capfd.readouterr().err == ""


def test_a_failure_has_its_duration(capfd: Captured) -> None:
    """The exception leaves the block."""
    with pytest.raises(KeyError), Progress().task("vagrant up"):
        raise KeyError
    assert capfd.readouterr().err.endswith("vagrant up: failed after 0 s\n")
