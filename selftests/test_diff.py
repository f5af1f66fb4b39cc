"""The comparison of two runs: verdicts and times that are better or worse, without noise."""

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


def run(*results: model.Result, seconds: float = 0, **changes: object) -> Document:
    """A run with those results and one step of so many seconds."""
    step = ScriptStep(node="w1-k8s", script="config.sh", step="hosts", started=at(0), ended=at(seconds), status=0)
    fields = {"run": RUN, "ended": at(9), "results": list(results), "steps": [step], "timelines": []}
    return Document.model_validate({**fields, **changes})


def compare(old: Document, new: Document) -> tuple[list[str], list[str], list[str]]:
    """The lines that are worse, better, and neither."""
    difference: Difference = diff.between(old, new)
    return difference.worse, difference.better, difference.other


def test_the_same_is_no_difference() -> None:
    """Whatever the verdicts are."""
    same = run(result(), result(check="other", outcome="failed"))
    assert compare(same, same) == ([], [], [])


@pytest.mark.parametrize("now", ["failed", "error"])
def test_a_check_that_no_longer_passes_is_worse(now: str) -> None:
    """Also if it can no longer be judged."""
    line = f"swap: swap_is_off on w1-k8s: passed, now {now}"
    assert compare(run(result()), run(result(outcome=now))) == ([line], [], [])


def test_a_check_that_passes_now_is_better() -> None:
    """It was mended."""
    line = "swap: swap_is_off on w1-k8s: failed, now passed"
    assert compare(run(result(outcome="failed")), run(result())) == ([], [line], [])


def test_red_of_another_kind_is_neither_worse_nor_better() -> None:
    """It was not proved before, and is not now."""
    line = "swap: swap_is_off on w1-k8s: failed, now error"
    assert compare(run(result(outcome="failed")), run(result(outcome="error"))) == ([], [], [line])


def test_a_check_that_appeared_is_worse_only_if_red() -> None:
    """A new check that passes is only mentioned."""
    line = "swap: swap_is_off on w1-k8s: appeared"
    assert compare(run(), run(result())) == ([], [], [f"{line}, passed"])
    assert compare(run(), run(result(outcome="failed"))) == ([f"{line}, failed"], [], [])


def test_a_check_that_is_no_longer_judged_is_worse() -> None:
    """Silence does not prove a fact that was proved before."""
    line = "swap: swap_is_off on w1-k8s: passed, is no longer judged"
    assert compare(run(result()), run()) == ([line], [], [])


def test_a_check_that_the_spec_leaves_out_is_not_worse() -> None:
    """With an accepted risk, or a check that does not apply."""
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
    """With the ratio; a step that takes less time is better."""
    line = "config.sh, hosts on w1-k8s: took"
    assert compare(run(seconds=10), run(seconds=25))[0] == [f"{line} 10 s, now 25 s, 2.5 times as long"]
    assert compare(run(seconds=25), run(seconds=10))[1] == [f"{line} 25 s, now 10 s, 0.4 times as long"]


def test_a_check_that_takes_longer_is_worse() -> None:
    """If the change exceeds noise."""
    line = "swap: swap_is_off on w1-k8s: took 1.0 s, now 31 s, 31 times as long"
    assert compare(run(result(seconds=1)), run(result(seconds=31)))[0] == [line]


def test_an_experiment_that_recovers_later_is_worse() -> None:
    """Each of its times is compared."""
    late = kubelet_stopped().milestones.model_copy(update={"recovered": at(200)})
    slow: timeline.Timeline = kubelet_stopped().model_copy(update={"milestones": late})
    line = "kubelet_stopped, time to recover: took 6.0 s, now 20 s, 3.3 times as long"
    assert compare(run(timelines=[kubelet_stopped()]), run(timelines=[slow])) == ([line], [], [])


def kubeproof_diff(*folders: Path) -> tuple[int, str, str]:
    """Exit status, output and errors of the command."""
    command = [sys.executable, "-m", "kubeproof", "diff", *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_exit_status_is_1_if_something_is_worse(tmp_path: Path) -> None:
    """And prints both verdicts and each difference."""
    green, red = sample_runs.green(tmp_path / "green"), sample_runs.red(tmp_path / "red")
    status, output, _ = kubeproof_diff(green, red)
    assert status == 1
    assert output.startswith(
        f"old: {green}: PROVED: all 46 checks passed, in 3 min 12 s\nnew: {red}: NOT PROVED: 2 of 46"
    )
    assert "\nworse (10):\n" in output
    assert "\n  names: hosts_has_every_node on w3-k8s: passed, now error\n" in output


def test_the_exit_status_is_0_if_nothing_is_worse(tmp_path: Path) -> None:
    """Also if something is better."""
    green, red = sample_runs.green(tmp_path / "green"), sample_runs.red(tmp_path / "red")
    assert kubeproof_diff(red, green)[0] == 0
    assert kubeproof_diff(green, green)[1].endswith("\nnothing is better or worse\n")


def test_the_exit_status_is_2_for_a_folder_without_results(tmp_path: Path) -> None:
    """With the remedy, and no traceback."""
    status, output, error = kubeproof_diff(sample_runs.green(tmp_path / "green"), tmp_path / "none")
    assert (status, output) == (2, "")
    assert error.startswith(f"{tmp_path}/none/results.jsonl: can't be read")
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("file", "where"),
    [("timelines/kubelet_stopped.json", ""), ("steps.jsonl", ": line 1"), ("results.jsonl", ": line 1")],
)
def test_the_message_names_a_broken_file(tmp_path: Path, file: str, where: str) -> None:
    """With status 2 and one line."""
    folder = sample_runs.green(tmp_path / "green")
    (folder / file).write_text("{}\n")
    status, _, error = kubeproof_diff(folder, folder)
    assert (status, len(error.splitlines())) == (2, 1)
    assert error.startswith(f"{folder}/{file}{where}: is not in kubeproof's format: ")


def test_a_run_of_version_1_is_compared_with_a_new_one(tmp_path: Path) -> None:
    """A later kubeproof goes on from the runs of an earlier one."""
    old, new = sample_runs.of_version_1(tmp_path / "old"), sample_runs.green(tmp_path / "new")
    status, output, _ = kubeproof_diff(old, new)
    assert status == 0
    assert "\n  swap: swap_is_off on w2-k8s: failed, now passed\n" in output
    assert "\n  swap: swap_is_off on w1-k8s" not in output
    status, output, _ = kubeproof_diff(new, old)
    assert (status, "swap_is_off on w2-k8s: passed, now failed\n" in output) == (1, True)
