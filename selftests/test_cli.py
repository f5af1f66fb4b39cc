"""Each command of the command line does what its help promises; its exit status is 0, 1 or 2, as documented."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from kubeproof import cli
from kubeproof.bring_up import state
from kubeproof.experiments import faults
from kubeproof.experiments.faults import Fault
from kubeproof.process import paths
from selftests.sample_runs import result, write

COMMANDS = ["verify", "up", "init", "diff", "report", "mend", "destroy", "doctor", "shell"]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the command."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def kubeproof(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own."""
    command = [sys.executable, "-m", "kubeproof", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def invoked(status: cli.Status, *arguments: str | Path) -> Result:
    """Run the command in this process; it must end with that status."""
    ended = CliRunner().invoke(cli.app, [*map(str, arguments)])
    assert ended.exit_code == status, ended.output
    return ended


def refused(*arguments: str | Path) -> str:
    """The message of a command with bad input."""
    return invoked(cli.Status.BAD_INPUT, *arguments).stderr


def given_up(*arguments: str | Path) -> str:
    """The message of a command that can't do its work."""
    return invoked(cli.Status.NOT_PROVED, *arguments).stderr


def done(*arguments: str | Path) -> str:
    """The standard output of a command that succeeds."""
    return invoked(cli.Status.PROVED, *arguments).stdout


def test_there_are_the_documented_commands() -> None:
    """More commands may exist."""
    assert set(COMMANDS) <= {command.name or command.callback.__name__ for command in cli.app.registered_commands}  # type: ignore[union-attr]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command: str) -> None:
    """Each help has the exit statuses, and most have an example."""
    text = done(command, "--help")
    assert "Exit status" in text
    assert command in ("destroy", "doctor") or f"  kubeproof {command}" in text


def test_help_loads_nothing_heavy() -> None:
    """Help and completion answer at once."""
    heavy = {"pytest", "kubernetes", "pydantic", "rich", "paramiko", "yaml", "psutil"}
    program = "import sys; from kubeproof.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    output = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert heavy & {*output.splitlines()[-1].split()} == set()


def test_completion_works() -> None:
    """Bash completes a command's name."""
    program = Path(sys.executable).with_name("kubeproof")
    request = {"_KUBEPROOF_COMPLETE": "complete_bash", "COMP_WORDS": "kubeproof ver", "COMP_CWORD": "1"}
    answer = subprocess.run([program], env=request, capture_output=True, text=True, check=False)
    assert answer.stdout.split() == ["verify"]


def test_an_unknown_command_is_bad_input() -> None:
    """The message repeats it."""
    assert "No such command 'verfy'" in refused("verfy")


def test_verify_collects_the_inventory_from_any_folder(empty_folder: Path) -> None:
    """It leaves no file in that folder."""
    ended = kubeproof("verify", "--collect-only", "-q", "-k", "hostname_is_the_nodes")
    assert ended.returncode == 0
    assert "tests/node/test_names.py::test_hostname_is_the_nodes[m-k8s]" in ended.stdout.splitlines()
    assert [*empty_folder.iterdir()] == []


def test_verify_judges_the_inventory_from_any_folder(tmp_path: Path) -> None:
    """Its workers collect it too; the cluster's API, which the run needs after that, does not answer."""
    clusters = [{"name": "shop", "cluster": {"server": "https://127.0.0.1:9"}}]  # the port of discard
    context = {"name": "shop", "context": {"cluster": "shop", "user": "me"}}
    config = {"clusters": clusters, "contexts": [context], "current-context": "shop", "users": [{"name": "me"}]}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    spec = tmp_path / "shop.yaml"
    spec.write_text(yaml.safe_dump({"name": "shop", "provider": "existing", "kubeconfig": "kubeconfig"}))
    judged = kubeproof("verify", f"--cluster={spec}")
    assert judged.returncode == cli.Status.NOT_PROVED
    assert "1 could not be judged" in judged.stdout


def test_a_path_of_the_inventory_narrows_it_from_any_folder() -> None:
    """The path is the one in the report."""
    ended = kubeproof("verify", "--collect-only", "-q", "tests/node/test_names.py::test_hostname_is_the_nodes[w1-k8s]")
    assert ended.returncode == 0
    assert ended.stdout.splitlines()[0] == "tests/node/test_names.py::test_hostname_is_the_nodes[w1-k8s]"
    assert "\n1/1 tests collected" in ended.stdout or "\n1 test collected" in ended.stdout


def test_up_leaves_experiments_out() -> None:
    """It accepts pytest's options."""
    ended = kubeproof("up", "--collect-only", "-q", "tests/components/test_kubelet_stopped.py")
    assert ended.returncode == cli.Status.BAD_INPUT  # a selection without a check
    assert "no tests collected" in ended.stdout


@pytest.mark.parametrize(
    ("body", "status"), [("pass", 0), ("assert False", 1), ("raise KeyboardInterrupt", 1), ("syntax error", 1)]
)
def test_verifys_status_is_the_verdict(empty_folder: Path, body: str, status: int) -> None:
    """The check is the person's own, and needs no cluster."""
    (empty_folder / "test_own.py").write_text(f"def test_own(): {body}\n")
    assert kubeproof("verify", "test_own.py", "-n", "0").returncode == status


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cluster", "nowhere.yaml"], "the spec can't be used:\nnowhere.yaml: can't be read: No such file"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["tests/nowhere"], "file or directory not found: tests/nowhere"),
        (["--allow-disruption=shop"], "--allow-disruption names shop, but the cluster"),
    ],
)
def test_verify_refuses_bad_input(arguments: list[str], message: str, empty_folder: Path) -> None:
    """Nothing starts."""
    ended = kubeproof("verify", *arguments)
    assert ended.returncode == cli.Status.BAD_INPUT
    assert message in ended.stderr.replace(f"{empty_folder}/", "")


@pytest.mark.parametrize("command", ["mend", "doctor"])
def test_a_spec_that_can_not_be_used_is_bad_input(command: str) -> None:
    """Each command that reads a spec refuses it in the same words."""
    assert "the spec can't be used:\nnowhere.yaml: can't be read" in refused(command, "--cluster", "nowhere.yaml")


def test_diffs_status_is_the_gate(tmp_path: Path) -> None:
    """1 if something is worse, 0 if not, and 2 if there is no run."""
    green, red = write(tmp_path / "green", [result()]), write(tmp_path / "red", [result(outcome="failed")])
    assert "swap_is_off on w1-k8s: passed, now failed" in invoked(cli.Status.NOT_PROVED, "diff", green, red).stdout
    assert "better (1)" in done("diff", red, green)
    assert "Name the folder of a run" in refused("diff", green, tmp_path)


def test_report_is_written_again(tmp_path: Path) -> None:
    """The output is its path; a folder without results is bad input."""
    folder = write(tmp_path / "run", [result()])
    assert done("report", folder) == f"{folder}/report.html\n"
    assert (folder / "report.html").is_file()
    assert "Name the folder of a run" in refused("report", tmp_path)


def test_without_a_cluster_there_is_nothing_to_end_or_mend() -> None:
    """Both commands succeed."""
    assert done("destroy") == ""
    assert done("mend") == "no fault was left\n"


@pytest.fixture
def existing(tmp_path: Path) -> Path:
    """The spec of a cluster with one machine, which does not answer and in which a run left a fault."""
    config = {"contexts": [{"name": "shop", "context": {"cluster": "shop", "user": "me"}}]}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    (tmp_path / "ssh_config").write_text("Host node1\n  HostName 127.0.0.1\n  Port 9\n")
    file = tmp_path / "shop.yaml"
    spec = {"name": "shop", "provider": "existing", "kubeconfig": "kubeconfig", "ssh_config": "ssh_config"}
    file.write_text(yaml.safe_dump(spec))
    entry = faults.journal(tmp_path / "ssh_config") / "node1-kubelet-stopped.json"
    entry.parent.mkdir(parents=True)
    entry.write_text(Fault(name="kubelet stopped", node="node1", make="false", mend="true").model_dump_json())
    return file


def test_an_existing_cluster_is_mended_only_by_its_name(existing: Path) -> None:
    """Without its name, it stays as it is."""
    message = refused("mend", "--cluster", existing)
    assert message == "shop exists already: `--allow-disruption shop` lets its machines be mended\n"


def test_a_machine_that_can_not_be_entered_is_not_mended(existing: Path) -> None:
    """The fault stays in the journal."""
    message = given_up("mend", "--quiet", "--cluster", existing, "--allow-disruption", "shop")
    assert message.startswith("node1 can't be entered over ssh")
    assert [fault.name for fault in faults.left_in(existing.with_name("ssh_config"))] == ["kubelet stopped"]


def test_a_shell_needs_a_cluster() -> None:
    """The message names the command that makes one."""
    assert given_up("shell", "w1-k8s") == "no cluster is up: `kubeproof up` brings one up and keeps it\n"


def test_a_shell_on_an_unknown_machine_is_bad_input(own_state: Path) -> None:
    """The message lists the machines."""
    own_state.mkdir(parents=True)
    (own_state / "ssh_config").write_text("Host m-k8s\n  Port 1\nHost w1-k8s\n  Port 2\n")
    (own_state / "cluster.json").write_text(state.entrance(paths.DEFAULT_SPEC).model_dump_json())
    assert refused("shell", "w9-k8s") == "there is no machine w9-k8s: the cluster's machines are m-k8s, w1-k8s\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name one of --vagrantfile and --kubeconfig"),
        (["--vagrantfile", ".", "--kubeconfig", "x"], "name one of --vagrantfile and --kubeconfig"),
        (["--vagrantfile", ".", "--ssh-config", "x"], "--ssh-config goes with --kubeconfig"),
        (["--vagrantfile", "."], "/Vagrantfile does not exist: name the folder of a Vagrantfile"),
        (["--kubeconfig", "nowhere"], "nowhere can't be read: No such file or directory"),
        (["--kubeconfig", "empty"], "empty is no kubeconfig with a context"),
        (["--kubeconfig", "empty", "-o", "empty"], "empty exists already: name another file with --output"),
    ],
)
def test_init_refuses_bad_input(arguments: list[str], message: str, empty_folder: Path) -> None:
    """It writes nothing."""
    (empty_folder / "empty").touch()
    assert message in refused("init", *arguments)
    assert [file.name for file in empty_folder.iterdir()] == ["empty"]
