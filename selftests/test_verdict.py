"""The verdict of a run, and the file of its results."""

import datetime
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kubeproof import report
from kubeproof.results import document, model, store
from kubeproof.results.store import Unreadable
from selftests import sample_runs
from selftests.sample_runs import NOON, RUN, result, write


def test_green_counts_the_checks(tmp_path: Path) -> None:
    """All checks passed."""
    assert report.verdict(write(tmp_path, [result(), result(node="w2-k8s")])) == "PROVED: all 2 checks passed"


@pytest.mark.parametrize("judged", [[], [result()]])
def test_a_run_that_ended_early_proves_nothing(tmp_path: Path, judged: list[model.Result]) -> None:
    """Even if all its results passed."""
    verdict = report.verdict(write(tmp_path, judged, ended=False))
    assert verdict == f"NOT PROVED: the run ended early; the {len(judged)} checks that it judged passed"


def test_a_run_that_judged_nothing_proves_nothing(tmp_path: Path) -> None:
    """An empty selection is not green."""
    assert report.verdict(write(tmp_path, [])) == "NOT PROVED: no check was judged"


def test_red_is_counted(tmp_path: Path) -> None:
    """Against the number of all results."""
    verdict = report.verdict(write(tmp_path, [result(), result(outcome="failed")]))
    assert verdict == "NOT PROVED: 1 of 2 checks failed, 0 could not be judged"


def test_an_error_is_not_a_failure(tmp_path: Path) -> None:
    """It is counted apart, and nothing is proved."""
    verdict = report.verdict(write(tmp_path, [result(outcome="error")]))
    assert verdict == "NOT PROVED: 0 of 1 checks failed, 1 could not be judged"


def test_a_red_run_that_ended_early_says_both(tmp_path: Path) -> None:
    """A reader must not take its one failure for the only one."""
    assert report.verdict(write(tmp_path, [result(outcome="failed")], ended=False)).endswith("; the run ended early")


def test_a_killed_run_keeps_its_results(tmp_path: Path) -> None:
    """An incomplete last line is ignored."""
    write(tmp_path, [result()], ended=False)
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('{"check": "half')
    assert [one.check for one in store.read(tmp_path)[1]] == ["swap_is_off"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "can't be read: .*No such file.* Name the folder of a run, such as reports/latest"),
        ("", "has no complete line: the run ended before it judged anything. Run it again"),
        ('{"kind": "ru', "has no complete line"),
        (f"{RUN.model_dump_json()}\n{{}}\n", "line 2: is not in kubeproof's format: the line: .*kind"),
        (f"{result().model_dump_json()}\n", "line 1 must be a run, and is a result: take another folder"),
    ],
)
def test_a_folder_without_results_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    """With the file, the problem and the remedy."""
    if content is not None:
        (tmp_path / "results.jsonl").write_text(content)
    with pytest.raises(Unreadable, match=f"^{tmp_path}/results.jsonl: {message}"):
        store.read(tmp_path)


def test_runs_of_the_same_second_have_folders_of_their_own(tmp_path: Path) -> None:
    """`latest` is one of them."""
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: store.open_folder(tmp_path, NOON), range(8)))
    name = "2026-01-01T12-00-00Z"
    assert {folder.name for folder in folders} == {name, *(f"{name}-{number}" for number in range(2, 9))}
    assert (tmp_path / "latest").resolve() in folders


def test_latest_is_the_newest_run(tmp_path: Path) -> None:
    """And the folder contains nothing but the runs and the link."""
    store.open_folder(tmp_path, NOON)
    newest = store.open_folder(tmp_path, NOON + datetime.timedelta(seconds=1))
    assert (tmp_path / "latest").resolve() == newest
    assert len(list(tmp_path.iterdir())) == 3


def test_a_run_states_its_version(tmp_path: Path) -> None:
    """In its first line."""
    first = (write(tmp_path, []) / "results.jsonl").read_text().splitlines()[0]
    assert json.loads(first)["schema_version"] == model.SCHEMA_VERSION


def test_a_run_of_version_1_is_read() -> None:
    """Its first line states no version."""
    assert "schema_version" not in (sample_runs.VERSION_1 / "results.jsonl").read_text()
    old = document.read(sample_runs.VERSION_1)
    assert (old.run.schema_version, old.schema_version) == (1, model.SCHEMA_VERSION)
    assert [(one.node, one.outcome) for one in old.results] == [
        ("w1-k8s", "passed"),
        ("w2-k8s", "failed"),
        ("w3-k8s", "error"),
    ]
    assert old.verdict == "NOT PROVED: 1 of 3 checks failed, 1 could not be judged"


def test_a_run_of_a_later_version_is_refused(tmp_path: Path) -> None:
    """With what to install, although later lines may be of a kind that this version does not know."""
    later = {"kind": "run", "schema_version": model.SCHEMA_VERSION + 1, "clusters": []}
    (tmp_path / "results.jsonl").write_text(f'{json.dumps(later)}\n{{"kind": "new"}}\n')
    message = "results.jsonl: has schema_version 3, and this kubeproof reads up to 2: install a later kubeproof$"
    with pytest.raises(Unreadable, match=message):
        store.read(tmp_path)
