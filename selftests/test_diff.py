"""The comparison of two runs: what is better or worse, and nothing that is noise."""

import subprocess
import sys
from pathlib import Path

import pytest

from kubeproof.report import diff
from kubeproof.report.diff import Difference
from kubeproof.results import model, timeline
from kubeproof.results.document import Document
from kubeproof.results.steps import ScriptStep
from selftests import sample_runs
from selftests.sample_runs import RUN, at, kubelet_stopped, result


def run(*judged: model.Result, seconds: float = 0, **known: object) -> Document:
    """A run with those results, whose one step took so long."""
    step = ScriptStep(node="w1-k8s", script="config.sh", step="hosts", started=at(0), ended=at(seconds), status=0)
    whole = {"run": RUN, "ended": at(9), "results": list(judged), "steps": [step], "timelines": []}
    return Document.model_validate({**whole, **known})


def compare(old: Document, new: Document) -> tuple[list[str], list[str], list[str]]:
    """What is worse, better, and neither."""
    difference: Difference = diff.between(old, new)
    return difference.worse, difference.better, difference.other


def test_the_same_is_no_difference() -> None:
    """Whatever the verdicts are."""
    same = run(result(), result(check="other", outcome="failed"))
    assert compare(same, same) == ([], [], [])


@pytest.mark.parametrize("now", ["failed", "error"])
def test_what_passed_and_does_not_is_worse(now: str) -> None:
    """Also where it can't be judged any more."""
    line = f"swap: swap_is_off on w1-k8s: passed, now {now}"
    assert compare(run(result()), run(result(outcome=now))) == ([line], [], [])


def test_what_passes_now_is_better() -> None:
    """It was mended."""
    line = "swap: swap_is_off on w1-k8s: failed, now passed"
    assert compare(run(result(outcome="failed")), run(result())) == ([], [line], [])


def test_red_of_another_kind_is_neither() -> None:
    """It was not proved before, and is not now."""
    line = "swap: swap_is_off on w1-k8s: failed, now error"
    assert compare(run(result(outcome="failed")), run(result(outcome="error"))) == ([], [], [line])


def test_a_check_that_appeared_is_worse_only_if_red() -> None:
    """A new check that passes is told, no more."""
    line = "swap: swap_is_off on w1-k8s: appeared"
    assert compare(run(), run(result())) == ([], [], [f"{line}, passed"])
    assert compare(run(), run(result(outcome="failed"))) == ([f"{line}, failed"], [], [])


def test_a_check_that_is_judged_no_more_is_worse() -> None:
    """What was proved once is not proved by silence."""
    line = "swap: swap_is_off on w1-k8s: passed, is no longer judged"
    assert compare(run(result()), run()) == ([line], [], [])


def test_unless_the_spec_says_why() -> None:
    """An accepted risk, or what does not apply."""
    accepted = RUN.model_copy(update={"not_applicable": {"swap_is_off": "no swap here"}})
    line = "swap: swap_is_off on w1-k8s: passed, is no longer judged: no swap here"
    assert compare(run(result()), run(run=accepted)) == ([], [], [line])


def test_the_worst_case_of_a_check_counts() -> None:
    """Cases that share a name are one check."""
    line = "swap: swap_is_off on w1-k8s: passed, now failed"
    assert compare(run(result(), result()), run(result(outcome="failed"), result()))[0] == [line]


@pytest.mark.parametrize(
    ("was", "now"),
    [(0.1, 4.9), (60.0, 80.0), (20.0, 24.9), (0.0, 4.0)],
    ids=["short times vary", "less than half as much again", "less than five seconds", "from nothing"],
)
def test_noise_is_no_difference(was: float, now: float) -> None:
    """In either direction."""
    assert compare(run(seconds=was), run(seconds=now)) == ([], [], [])
    assert compare(run(seconds=now), run(seconds=was)) == ([], [], [])


def test_a_step_that_takes_longer_is_worse() -> None:
    """As a ratio; and the other way round it is better."""
    line = "config.sh, hosts on w1-k8s: took"
    assert compare(run(seconds=10), run(seconds=25))[0] == [f"{line} 10 s, now 25 s, 2.5 times as long"]
    assert compare(run(seconds=25), run(seconds=10))[1] == [f"{line} 25 s, now 10 s, 0.4 times as long"]


def test_a_check_that_takes_longer_is_worse() -> None:
    """As long as it is more than noise."""
    line = "swap: swap_is_off on w1-k8s: took 1.0 s, now 31 s, 31 times as long"
    assert compare(run(result(seconds=1)), run(result(seconds=31)))[0] == [line]


def test_an_experiment_that_recovers_later_is_worse() -> None:
    """Each of its times by itself."""
    late = kubelet_stopped().milestones.model_copy(update={"recovered": at(200)})
    slow: timeline.Timeline = kubelet_stopped().model_copy(update={"milestones": late})
    line = "kubelet_stopped, time to recover: took 6.0 s, now 20 s, 3.3 times as long"
    assert compare(run(timelines=[kubelet_stopped()]), run(timelines=[slow])) == ([line], [], [])


def told(*folders: Path) -> tuple[int, str, str]:
    """What the command line says of two folders."""
    command = [sys.executable, "-m", "kubeproof", "diff", *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_command_line_ends_with_1_where_something_is_worse(tmp_path: Path) -> None:
    """And says both verdicts and each difference."""
    green, red = sample_runs.green(tmp_path / "green"), sample_runs.red(tmp_path / "red")
    status, said, _ = told(green, red)
    assert status == 1
    assert said.startswith(
        f"old: {green}: PROVED: all 46 checks passed, in 3 min 12 s\nnew: {red}: NOT PROVED: 2 of 46"
    )
    assert "\nworse (10):\n" in said
    assert "\n  names: hosts_has_every_node on w3-k8s: passed, now error\n" in said


def test_and_with_0_where_nothing_is(tmp_path: Path) -> None:
    """Also where something is better."""
    green, red = sample_runs.green(tmp_path / "green"), sample_runs.red(tmp_path / "red")
    assert told(red, green)[0] == 0
    assert told(green, green)[:2][1].endswith("\nnothing is better or worse\n")


def test_and_with_2_where_a_folder_is_no_runs(tmp_path: Path) -> None:
    """With what to do, and no traceback."""
    status, said, error = told(sample_runs.green(tmp_path / "green"), tmp_path / "none")
    assert (status, said) == (2, "")
    assert error.startswith(f"{tmp_path}/none/results.jsonl: can't be read")
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("file", "where"),
    [("timelines/kubelet_stopped.json", ""), ("steps.jsonl", ": line 1"), ("results.jsonl", ": line 1")],
)
def test_a_broken_file_is_told_by_its_name(tmp_path: Path, file: str, where: str) -> None:
    """As bad input, too: status 2, and one line."""
    folder = sample_runs.green(tmp_path / "green")
    (folder / file).write_text("{}\n")
    status, _, error = told(folder, folder)
    assert (status, len(error.splitlines())) == (2, 1)
    assert error.startswith(f"{folder}/{file}{where} is none that this version of kubeproof writes: ")
