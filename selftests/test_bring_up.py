"""A bring-up that fails is one failure, which says what to do; and it leaves nothing behind."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubeproof import bring_up, paths
from kubeproof.bring_up import Output, ScriptStep
from kubeproof.progress import Progress
from kubeproof.report import document
from kubeproof.results import read
from selftests import sample_runs


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this machine's that is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


@pytest.fixture
def spec(port: int, tmp_path: Path) -> Path:
    """A spec whose lab can't start, for want of that port."""
    spec = tmp_path / "spec.yaml"
    text = paths.DEFAULT_SPEC.read_text().replace("60010", str(port))
    spec.write_text(text.replace("scripts: ..", f"scripts: {paths.DEFAULT_SPEC.parent.parent}"))
    return spec


@pytest.mark.parametrize("workers", [0, 2])
def test_a_port_in_use_is_one_failure(
    pytester: pytest.Pytester, own_state: Path, spec: Path, port: int, workers: int
) -> None:
    """Not an error for each check, and no traceback."""
    pytester.makepyfile("def test_one(cluster): pass\ndef test_two(cluster): pass\n")
    result = pytester.runpytest_subprocess("-n", str(workers), f"--cluster={spec}")
    result.assert_outcomes(failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"*port {port} on 127.0.0.1, m-k8s's, is not free*", "*NOT PROVED: 1 of 1*"])
    assert [one.check for one in read(Path(pytester.path, "reports", "latest"))[1]] == ["bring_up"]
    assert list(own_state.glob("*.json")) == []


def test_steps_of_another_bring_up_are_in_no_report(pytester: pytest.Pytester, own_state: Path, spec: Path) -> None:
    """A run that was killed may have left them; this one ended before its first step."""
    own_state.mkdir(parents=True)
    (own_state / "steps.jsonl").write_text("of another run\n")
    pytester.makepyfile("def test_one(cluster): pass\n")
    pytester.runpytest_subprocess(f"--cluster={spec}")
    assert (Path(pytester.path, "reports", "latest", "report.html")).exists()
    assert not (Path(pytester.path, "reports", "latest", "steps.jsonl")).exists()


def test_steps_go_with_the_run(own_state: Path, tmp_path: Path) -> None:
    """What a bring-up left is in the report, as it came."""
    own_state.mkdir(parents=True)
    step = ScriptStep(node="w1-k8s", script="config.sh", step="hosts", started=sample_runs.NOON)
    (own_state / "steps.jsonl").write_text(f"{step.model_dump_json()}\n")
    bring_up.copy_steps(sample_runs.write(tmp_path / "run", []))
    assert document.read(tmp_path / "run").steps == [step]


def test_tests_that_want_no_cluster_bring_none_up(pytester: pytest.Pytester) -> None:
    """And leave no report."""
    pytester.makepyfile("def test_one(): pass\n")
    pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=1)
    assert not Path(pytester.path, "reports").exists()


def test_a_bad_spec_is_a_usage_error(pytester: pytest.Pytester, tmp_path: Path) -> None:
    """Before anything starts."""
    spec = tmp_path / "spec.yaml"
    spec.write_text("name: x\n")
    result = pytester.runpytest_subprocess(f"--cluster={spec}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*the spec can't be used*", "*nodes: is required and not there*"])


def test_collecting_starts_nothing(pytester: pytest.Pytester) -> None:
    """`--collect-only` lists what would be judged."""
    pytester.makepyfile("def test_one(cluster, node): pass\n")
    result = pytester.runpytest_subprocess("--collect-only", "-q")
    result.stdout.fnmatch_lines(["*test_one[[]m-k8s]", "4 tests collected*"])
    assert not Path(pytester.path, "reports").exists()


def test_a_lab_that_a_live_run_holds_is_waited_for_with_a_word(own_state: Path) -> None:
    """And taken as soon as that run lets go of it."""
    command = [sys.executable, "-m", "kubeproof", "destroy"]
    with bring_up.holding_the_lab(Progress(quiet=True)):
        waiting = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert waiting.stderr is not None
        said = waiting.stderr.readline()
        assert waiting.poll() is None
    assert said.startswith(f"waiting for the run that holds the lab (process {os.getpid()} in {paths.CHECKOUT})")
    assert waiting.wait(timeout=30) == 0
    assert not (own_state / "holder").exists()


VAGRANT = [
    "==> w1-k8s: Running provisioner: config.sh (shell)...",
    "    w1-k8s: ::step config.sh hosts start 0",
    "    w1-k8s: sed: can't read /etc/hosts: No such file or directory",
    "    w1-k8s: ::failed config.sh hosts line 38: sed -i /etc/hosts",
    "    w1-k8s: ::step config.sh hosts end 2",
]


def test_a_failed_script_is_named_with_step_line_and_last_output() -> None:
    """From what the steps announced."""
    output = Output()
    for line in VAGRANT:
        output.follow(line)
    failure = output.failure(1)
    assert (failure.script, failure.step, failure.prepared) == ("config.sh", "hosts", [])
    assert "config.sh, step hosts, failed on w1-k8s at line 38: sed -i /etc/hosts." in str(failure)
    assert "sed: can't read /etc/hosts" in str(failure)


def test_a_script_that_was_cut_off_is_named_by_its_open_step() -> None:
    """Where nothing more was said."""
    output = Output()
    for line in VAGRANT[:3]:
        output.follow(line)
    assert "config.sh, step hosts, never ended on w1-k8s" in str(output.failure(1))


def test_prepared_machines_are_known_where_a_later_script_failed() -> None:
    """So that what their preparation owes can still be judged."""
    output = Output()
    for line in (
        "    w1-k8s: ::step config.sh hosts start 0",
        "    m-k8s: ::step config.sh hosts start 0",
        "    w1-k8s: ::step config.sh hosts end 0",
        "    w1-k8s: ::step install_pkg.sh admin-tools start 0",
        "    w1-k8s: ::failed install_pkg.sh admin-tools line 9: apt-get",
        "    w1-k8s: ::step install_pkg.sh admin-tools end 100",
    ):
        output.follow(line)
    failure = output.failure(1)
    assert (failure.script, failure.step, failure.prepared) == ("install_pkg.sh", "admin-tools", ["w1-k8s"])
