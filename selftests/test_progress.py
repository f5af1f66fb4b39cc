"""What takes long says so: in a log a line each, and a word when nothing is heard."""

import itertools

import pytest

from kubeproof.process import progress
from kubeproof.process.progress import Progress
from kubeproof.process.waiting import wait_for

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who wonders after a fifth of a second."""
    monkeypatch.setattr(progress, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.02)


def test_a_log_has_the_beginning_and_what_is_waited_for(capfd: Captured) -> None:
    """A line each, without a terminal's codes."""
    said: list[str] = []

    def lines() -> list[str]:
        said.append(capfd.readouterr().err)
        return "".join(said).splitlines()

    with Progress().task("vagrant up") as task:
        task.detail("w1-k8s: config.sh [hosts]")
        wait_for("a word", lambda: len(lines()) == 2, within=10)
    assert lines() == ["vagrant up ...", "vagrant up: nothing new for 0 s, waiting for w1-k8s: config.sh [hosts]"]


def test_news_are_no_silence(capfd: Captured) -> None:
    """However long it takes in all."""
    counted = itertools.count()
    with Progress().task("downloading") as task:

        def download() -> int:
            done = next(counted)
            task.amount(done, 40)
            return done

        wait_for("all of it", download, until=lambda done: done == 40, within=10, every=0.02)
    assert "nothing new" not in capfd.readouterr().err


def test_quiet_says_nothing(capfd: Captured) -> None:
    """Neither a beginning nor a silence."""
    with Progress(quiet=True).task("vagrant up") as task:
        waited = iter(range(30))
        wait_for("half a second", lambda: next(waited) == 29, within=10, every=0.02)
        task.detail("w1-k8s")
    assert capfd.readouterr().err == ""


def test_a_failure_says_how_long_it_took(capfd: Captured) -> None:
    """And goes on to whoever handles it."""
    with pytest.raises(KeyError), Progress().task("vagrant up"):
        raise KeyError
    assert capfd.readouterr().err.endswith("vagrant up: failed after 0 s\n")
