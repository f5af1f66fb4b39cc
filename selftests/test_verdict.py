"""The verdict: results as they come, and what they prove."""

import datetime
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kubeproof import report
from kubeproof.results import model, store
from kubeproof.results.store import Unreadable
from selftests.sample_runs import NOON, RUN, result, write


def test_green_says_how_much_was_looked_at(tmp_path: Path) -> None:
    """All of it passed."""
    assert report.verdict(write(tmp_path, [result(), result(node="w2-k8s")])) == "PROVED: all 2 checks passed"


@pytest.mark.parametrize("judged", [[], [result()]])
def test_a_run_that_ended_early_proves_nothing(tmp_path: Path, judged: list[model.Result]) -> None:
    """However green what it saw was."""
    verdict = report.verdict(write(tmp_path, judged, ended=False))
    assert verdict == f"NOT PROVED: the run ended early; the {len(judged)} checks that it judged passed"


def test_a_run_that_judged_nothing_proves_nothing(tmp_path: Path) -> None:
    """An empty selection is not green."""
    assert report.verdict(write(tmp_path, [])) == "NOT PROVED: no check was judged"


def test_red_is_counted(tmp_path: Path) -> None:
    """Against all that was judged."""
    verdict = report.verdict(write(tmp_path, [result(), result(outcome="failed")]))
    assert verdict == "NOT PROVED: 1 of 2 checks failed, 0 could not be judged"


def test_what_could_not_be_judged_is_no_failure(tmp_path: Path) -> None:
    """But it is not proved either."""
    verdict = report.verdict(write(tmp_path, [result(outcome="error")]))
    assert verdict == "NOT PROVED: 0 of 1 checks failed, 1 could not be judged"


def test_a_red_run_that_ended_early_says_both(tmp_path: Path) -> None:
    """Nobody takes its one failure for all there is."""
    assert report.verdict(write(tmp_path, [result(outcome="failed")], ended=False)).endswith("; the run ended early")


def test_a_killed_run_keeps_what_it_saw(tmp_path: Path) -> None:
    """A line half written is passed over."""
    write(tmp_path, [result()], ended=False)
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('{"check": "half')
    assert [one.check for one in store.read(tmp_path)[1]] == ["swap_is_off"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "can't be read: .*No such file.* Name the folder of a run, such as reports/latest"),
        ("", "has no whole line: the run ended before it began to judge. Run it again"),
        ('{"kind": "ru', "has no whole line"),
        (f"{RUN.model_dump_json()}\n{{}}\n", "line 2 is none that this version of kubeproof writes: the line: .*kind"),
        (f"{result().model_dump_json()}\n", "line 1 must say what was judged, and is a result: take another folder"),
    ],
)
def test_a_folder_without_results_is_told_so(tmp_path: Path, content: str | None, told: str) -> None:
    """With the file, what is wrong with it, and what to do."""
    if content is not None:
        (tmp_path / "results.jsonl").write_text(content)
    with pytest.raises(Unreadable, match=f"^{tmp_path}/results.jsonl: {told}"):
        store.read(tmp_path)


def test_runs_of_the_same_second_have_folders_of_their_own(tmp_path: Path) -> None:
    """However many they are; `latest` is one of them."""
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: store.open_folder(tmp_path, NOON), range(8)))
    name = "2026-01-01T12-00-00Z"
    assert {folder.name for folder in folders} == {name, *(f"{name}-{number}" for number in range(2, 9))}
    assert (tmp_path / "latest").resolve() in folders


def test_latest_is_the_newest_run(tmp_path: Path) -> None:
    """And nothing else is left beside the runs."""
    store.open_folder(tmp_path, NOON)
    newest = store.open_folder(tmp_path, NOON + datetime.timedelta(seconds=1))
    assert (tmp_path / "latest").resolve() == newest
    assert len(list(tmp_path.iterdir())) == 3
