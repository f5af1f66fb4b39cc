"""A failed bring-up is reported as one failure, with a remedy, and leaves nothing behind."""

import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kubeproof.bring_up import state
from kubeproof.bring_up.output import Output
from kubeproof.lab.doctor import INSTALLER
from kubeproof.process import paths
from kubeproof.process.progress import Progress
from kubeproof.results import document
from kubeproof.results.steps import ScriptStep
from kubeproof.results.store import read
from selftests import sample_runs


@pytest.fixture
def port_in_use() -> Iterator[int]:
    """A port on which this process listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def bad_machine(
    warm_cache: Path,
    path_without: Callable[..., str],
    port_in_use: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Path:
    """A spec with the port in use, on a machine without Vagrant."""
    assert warm_cache.exists()
    monkeypatch.setenv("PATH", path_without("vagrant"))
    spec = tmp_path / "spec.yaml"
    text = paths.DEFAULT_SPEC.read_text().replace("60010", str(port_in_use))
    spec.write_text(text.replace("scripts: ..", f"scripts: {paths.DEFAULT_SPEC.parent.parent}"))
    return spec


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_machine_is_one_failure(
    pytester: pytest.Pytester, own_state: Path, bad_machine: Path, port_in_use: int, workers: int
) -> None:
    """It lists every problem with its remedy; there is no error for each check, and no traceback."""
    pytester.makepyfile("def test_one(cluster): pass\ndef test_two(cluster): pass\n")
    result = pytester.runpytest_subprocess("-n", str(workers), f"--cluster={bad_machine}")
    result.assert_outcomes(failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "this machine can't run the lab yet (`kubeproof doctor` shows the whole list):",
            f"- vagrant: not installed. Install it: on Debian, run `{INSTALLER}` (package vagrant)",
            f"- port {port_in_use} on 127.0.0.1, m-k8s's: used by process {os.getpid()} (*). End the program that *",
            "*NOT PROVED: 1 of 1*",
        ]
    )
    assert [result.check for result in read(Path(pytester.path, "reports", "latest"))[1]] == ["bring_up"]
    assert list(own_state.glob("*.json")) == []


def test_steps_of_another_bring_up_are_in_no_report(
    pytester: pytest.Pytester, own_state: Path, bad_machine: Path
) -> None:
    """A killed run may have left them; this run ended before its first step."""
    own_state.mkdir(parents=True)
    (own_state / "steps.jsonl").write_text("of another run\n")
    pytester.makepyfile("def test_one(cluster): pass\n")
    pytester.runpytest_subprocess(f"--cluster={bad_machine}")
    assert (Path(pytester.path, "reports", "latest", "report.html")).exists()
    assert not (Path(pytester.path, "reports", "latest", "steps.jsonl")).exists()


def test_steps_go_with_the_run(own_state: Path, tmp_path: Path) -> None:
    """The run's folder has the steps of the cluster's bring-up."""
    own_state.mkdir(parents=True)
    step = ScriptStep(node="w1-k8s", script="config.sh", step="hosts", started=sample_runs.NOON)
    (own_state / "steps.jsonl").write_text(f"{step.model_dump_json()}\n")
    state.copy_steps(sample_runs.write(tmp_path / "run", []))
    assert document.read(tmp_path / "run").steps == [step]


AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def test_a_folder_for_the_state_that_cannot_be_made_is_one_failure(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in a run without root, or on a read-only disk."""
    os.chown(pytester.path, 65534, 65534)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "of-root"))
    (tmp_path / "of-root").mkdir(mode=0o755)
    pytester.makepyfile("def test_one(cluster): pass\n")
    # The user must be able to read this checkout, wherever it is.
    readable = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    result = pytester.run(*AS_NOBODY, *readable, sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["the folder of the cluster's state can't be made: *Permission denied: *; run as root, or *"]
    )


@pytest.mark.parametrize("workers", [0, 1])
def test_a_folder_of_reports_that_cannot_be_written_is_a_usage_error(pytester: pytest.Pytester, workers: int) -> None:
    """The run could not save its results."""
    pytester.makepyfile("def test_one(cluster): pass\n")
    result = pytester.runpytest_subprocess("-n", str(workers), "--reports=/proc/reports")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --reports: /proc/reports can't be written: No such file or directory; name *"])
    result.stderr.no_fnmatch_line("*Traceback*")


def test_tests_that_want_no_cluster_bring_none_up(pytester: pytest.Pytester) -> None:
    """They leave no report either."""
    pytester.makepyfile("def test_one(): pass\n")
    pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=1)
    assert not Path(pytester.path, "reports").exists()


def refusal(pytester: pytest.Pytester, spec: Path) -> pytest.LineMatcher:
    """The standard error of a run with that spec, which must be a usage error before anything starts."""
    pytester.makepyfile("def test_one(cluster): pass\n")
    result = pytester.runpytest_subprocess("-n", "2", f"--cluster={spec}")
    assert (result.ret, result.outlines) == (pytest.ExitCode.USAGE_ERROR, [])
    assert not Path(pytester.path, "reports").exists()
    result.stderr.no_fnmatch_line("*Traceback*")
    return result.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name: x\n", "nodes: is required and not there"),
        (b"name: [", "is not YAML: line 1, column 8: *"),
        (b"\xff", "is not UTF-8: *"),
    ],
)
def test_a_bad_spec_is_a_usage_error(pytester: pytest.Pytester, tmp_path: Path, content: bytes, message: str) -> None:
    """Nothing starts."""
    spec = tmp_path / "spec.yaml"
    spec.write_bytes(content)
    refusal(pytester, spec).fnmatch_lines(["*the spec can't be used:", f"{spec}: {message}"])


def test_a_spec_that_links_to_itself_is_a_usage_error(pytester: pytest.Pytester, tmp_path: Path) -> None:
    """Like any other spec that can't be read."""
    spec = tmp_path / "spec.yaml"
    spec.symlink_to(spec)
    refusal(pytester, spec).fnmatch_lines([f"{spec}: can't be read: Too many levels of symbolic links"])


def test_a_spec_that_the_lab_cannot_make_is_a_usage_error(pytester: pytest.Pytester, tmp_path: Path) -> None:
    """The message names the versions that it can make."""
    spec = tmp_path / "spec.yaml"
    text = paths.DEFAULT_SPEC.read_text().replace("scripts: ..", f"scripts: {paths.DEFAULT_SPEC.parent.parent}")
    for right, wrong in (("1.36.3", "1.35.99"), ("3.28.5", "3.99.0"), ("10.96.0.0/12", "10.0.0.0/12")):
        text = text.replace(right, wrong)
    spec.write_text(text)
    refusal(pytester, spec).fnmatch_lines(
        [
            f"{spec}: kubernetes.version: the lab builds kubernetes *1.36.3*, not 1.35.99: change it, or *",
            f"{spec}: calico.version: the lab builds calico *3.28.5*, not 3.99.0: change it, or *",
            f"{spec}: networks.service: 10.0.0.0/12 overlaps 10.0.2.0/24, *",
        ]
    )


def test_collecting_starts_nothing(pytester: pytest.Pytester) -> None:
    """`--collect-only` lists the cases; the deselected ones are for the look after experiments."""
    pytester.makepyfile("def test_one(cluster, node): pass\n")
    result = pytester.runpytest_subprocess("--collect-only", "-q")
    result.stdout.fnmatch_lines(["*test_one[[]m-k8s]", "4/8 tests collected (4 deselected)*"])
    assert not Path(pytester.path, "reports").exists()


def test_a_cluster_that_a_live_run_holds_is_waited_for_with_a_message(own_state: Path) -> None:
    """The wait ends as soon as that run releases the cluster."""
    command = [sys.executable, "-m", "kubeproof", "destroy"]
    with state.holding_the_cluster(Progress(quiet=True)):
        waiting = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert waiting.stderr is not None
        message = waiting.stderr.readline()
        assert waiting.poll() is None
    assert message.startswith(f"waiting for the run that holds the cluster (process {os.getpid()} in {paths.CHECKOUT})")
    assert waiting.wait(timeout=30) == 0
    assert not (own_state / "holder").exists()


def test_a_full_disk_does_not_prevent_destroying(full_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Destroying makes room."""
    monkeypatch.setenv("XDG_STATE_HOME", str(full_disk))
    subprocess.run([sys.executable, "-m", "kubeproof", "destroy"], check=True)


VAGRANT = [
    "==> w1-k8s: Running provisioner: config.sh (shell)...",
    "    w1-k8s: ::step config.sh hosts start 0",
    "    w1-k8s: sed: can't read /etc/hosts: No such file or directory",
    "    w1-k8s: ::failed config.sh hosts line 38: sed -i /etc/hosts",
    "    w1-k8s: ::step config.sh hosts end 2",
]


def test_a_failed_script_is_named_with_step_line_and_last_output() -> None:
    """The announcements of the steps have all of it."""
    output = Output(Path("vagrant.log"))
    for line in VAGRANT:
        output.follow(line)
    failure = output.failure(1)
    assert (failure.script, failure.step) == ("config.sh", "hosts")
    assert "config.sh, step hosts, failed on w1-k8s at line 38: sed -i /etc/hosts." in str(failure)
    assert "sed: can't read /etc/hosts" in str(failure)


def test_an_error_of_vagrants_own_is_quoted() -> None:
    """Without the many callers that Ruby lists below it."""
    output = Output(Path("vagrant.log"))
    for line in ("driver.rb:333:in `network_defined?': undefined method `size'", *["\tfrom a.rb:1:in `call'"] * 30):
        output.follow(line + "\n")
    assert "undefined method `size'" in str(output.failure(1))
    assert "from a.rb" not in str(output.failure(1))


def test_a_step_that_ended_with_a_status_is_named_if_none_had_failed() -> None:
    """bash reports no error for `false && kubeadm join` at a script's end."""
    output = Output(Path("vagrant.log"))
    for line in (
        "    w1-k8s: ::step work_nodes.sh kubeadm-join start 0",
        "    w1-k8s: ::step work_nodes.sh kubeadm-join end 1",
    ):
        output.follow(line + "\n")
    failure = output.failure(1)
    assert (failure.script, failure.step) == ("work_nodes.sh", "kubeadm-join")
    assert "work_nodes.sh, step kubeadm-join, ended with status 1 on w1-k8s" in str(failure)


def test_without_a_failed_step_each_machines_last_lines_are_quoted() -> None:
    """Beside Vagrant's own lines: a script may end before its first step."""
    output = Output(Path("vagrant.log"))
    output.follow("    w1-k8s: /tmp/vagrant-shell: line 9: syntax error near unexpected token `}'\n")
    output.follow("The SSH command responded with a non-zero exit status.\n")
    lines = str(output.failure(1)).partition("Its last lines:\n")[2]
    assert "syntax error near unexpected token" in lines
    assert "non-zero exit status" in lines


def test_a_script_that_was_cut_off_is_named_by_its_open_step() -> None:
    """It did not announce the end of the step."""
    output = Output(Path("vagrant.log"))
    for line in VAGRANT[:3]:
        output.follow(line)
    assert "config.sh, step hosts, never ended on w1-k8s" in str(output.failure(1))


def test_a_failure_has_the_step_that_each_machine_had_reached() -> None:
    """The checks of earlier steps can then still be judged."""
    output = Output(Path("vagrant.log"))
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
    assert (failure.script, failure.step) == ("install_pkg.sh", "admin-tools")
    assert failure.reached == {"w1-k8s": ("install_pkg.sh", "admin-tools"), "m-k8s": ("config.sh", "hosts")}


def test_work_under_way_is_named_machine_by_machine() -> None:
    """Open steps and the last lines of machines that boot, but nothing of machines that are done."""
    output = Output(Path("vagrant.log"))
    for line in (
        "==> m-k8s: Machine booted and ready!",
        "    m-k8s: ::step config.sh hosts start 0",
        "==> w1-k8s: Waiting for machine to boot. This may take a few minutes...",
        "    m-k8s: ::step config.sh hosts end 0",
        "    m-k8s: ::step config.sh time start 0",
    ):
        output.follow(line)
    assert output.under_way == (
        "m-k8s: config.sh time, w1-k8s: Waiting for machine to boot. This may take a few minutes..."
    )


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Python switches threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_threads")
def test_machines_are_followed_side_by_side() -> None:
    """Each has a thread of its own, which also asks for the work under way."""
    output, nodes = Output(Path("vagrant.log")), [f"w{number}-k8s" for number in range(8)]

    def follow(node: str) -> None:
        for number in range(200):
            machine = f"{node}-{number}"
            output.follow(f"==> {machine}: Waiting for machine to boot. This may take a few minutes...")
            assert machine in output.under_way
            output.follow(f"==> {machine}: Machine booted and ready!")
            output.follow(f"    {machine}: ::step config.sh hosts start 0")
            output.follow(f"    {machine}: ::step config.sh hosts end 0")

    with ThreadPoolExecutor(len(nodes)) as pool:
        deque(pool.map(follow, nodes), maxlen=0)
    assert output.under_way == ""
    assert len(output.steps) == len(nodes) * 200


def test_a_machine_may_be_booted_before_it_says_anything() -> None:
    """As one that already ran."""
    output = Output(Path("vagrant.log"))
    output.follow("==> m-k8s: Machine booted and ready!")
    output.follow("==> m-k8s: Machine booted and ready!")
    assert output.under_way == ""
