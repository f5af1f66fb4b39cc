"""A worker of xdist enters few machines."""

from collections.abc import Callable

import pytest

from kubeproof.pytest_plugin.reads import WORTH_ENTERING, Reads
from kubeproof.pytest_plugin.schedule import Phase, Unit

Worker = object  # the scheduler's: only who it is counts


@pytest.fixture
def reads() -> Callable[..., Reads]:
    """So many reads of each machine."""

    def of(**counts: int) -> Reads:
        made = Reads()
        for machine, count in counts.items():
            for number in range(count):
                made.append(Unit(Phase.READ, [number], asks=machine))
        return made

    return of


def taken(reads: Reads, worker: Worker, times: int = 1) -> list[str]:
    """Whom the worker's next reads ask."""
    units = [reads.take(worker) for _ in range(times)]
    return [unit.asks if unit else "nobody" for unit in units]


def test_a_worker_stays_where_it_is(reads: Callable[..., Reads]) -> None:
    """Whatever else waits."""
    assert taken(reads(w1=3, w2=3), Worker(), 6) == ["w1", "w1", "w1", "w2", "w2", "w2"]


def test_workers_enter_different_machines(reads: Callable[..., Reads]) -> None:
    """As long as there is one where nobody is."""
    waiting, one, other = reads(w1=3, w2=3), Worker(), Worker()
    assert taken(waiting, one) + taken(waiting, other) + taken(waiting, one) == ["w1", "w2", "w1"]


def test_what_asks_the_api_alone_is_one_workers_too(reads: Callable[..., Reads]) -> None:
    """To load its client costs more than most of its checks: it is begun with, so that no other has to help."""
    waiting, one, other = reads(**{"w1": 2, "": 2}), Worker(), Worker()
    assert taken(waiting, one) + taken(waiting, other) + taken(waiting, one) == ["", "w1", ""]


def test_what_takes_longest_comes_first(reads: Callable[..., Reads]) -> None:
    """A class of many tests is for the next worker, wherever that is."""
    waiting, worker = reads(w1=2), Worker()
    taken(waiting, worker)
    waiting.append(Unit(Phase.READ, [1, 2]))
    assert taken(waiting, worker, 2) == ["", "w1"]


def test_many_that_are_left_are_shared(reads: Callable[..., Reads]) -> None:
    """A worker that has nothing else goes where most wait."""
    waiting, one, other = reads(w1=WORTH_ENTERING, w2=WORTH_ENTERING + 5), Worker(), Worker()
    taken(waiting, one)
    taken(waiting, other)
    assert taken(waiting, Worker()) == ["w2"]


def test_few_that_are_left_are_done_by_who_is_there(reads: Callable[..., Reads]) -> None:
    """To be let in would take longer."""
    waiting, there = reads(w1=WORTH_ENTERING), Worker()
    taken(waiting, there)
    assert taken(waiting, Worker()) == ["nobody"]
    assert taken(waiting, there, WORTH_ENTERING - 1) == ["w1"] * (WORTH_ENTERING - 1)
    assert not waiting


def test_the_machine_of_a_worker_that_is_gone_is_any_others(reads: Callable[..., Reads]) -> None:
    """However few of its reads are left."""
    waiting, gone = reads(w1=2), Worker()
    taken(waiting, gone)
    waiting.leave(gone)
    assert taken(waiting, Worker()) == ["w1"]
