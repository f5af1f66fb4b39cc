"""The command line: each command does what it says, and its exit status is 0, 1 or 2 as documented."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from kubeproof import cli
from kubeproof.bring_up import state
from kubeproof.experiments import faults
from kubeproof.experiments.faults import Fault
from kubeproof.process import paths
from selftests.sample_runs import result, write

COMMANDS = ["verify", "up", "init", "diff", "report", "mend", "destroy", "doctor", "shell"]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is called."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def kubeproof(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    command = [sys.executable, "-m", "kubeproof", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def refused(*arguments: str | Path) -> str:
    """What a command that must be refused says."""
    done = CliRunner().invoke(cli.app, [*map(str, arguments)])
    assert done.exit_code == cli.BAD_INPUT, done.output
    return done.stderr


def given_up(*arguments: str | Path) -> str:
    """What a command that can't do it says."""
    done = CliRunner().invoke(cli.app, [*map(str, arguments)])
    assert done.exit_code == cli.NOT_PROVED, done.output
    return done.stderr


def done(*arguments: str | Path) -> str:
    """What a command that must succeed says on standard output."""
    ended = CliRunner().invoke(cli.app, [*map(str, arguments)])
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def test_there_are_the_documented_commands() -> None:
    """And others may be added."""
    assert set(COMMANDS) <= {command.name or command.callback.__name__ for command in cli.app.registered_commands}  # type: ignore[union-attr]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command: str) -> None:
    """How a command ends is in its help, and of most an example."""
    told = done(command, "--help")
    assert "Exit status" in told
    assert command in ("destroy", "doctor") or f"  kubeproof {command}" in told


def test_help_loads_nothing_heavy() -> None:
    """So that it, and completion, answer at once."""
    heavy = {"pytest", "kubernetes", "pydantic", "rich", "paramiko", "yaml", "psutil"}
    look = "import sys; from kubeproof.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert heavy & {*told.stdout.splitlines()[-1].split()} == set()


def test_completion_is_there() -> None:
    """Of the commands' names."""
    program = Path(sys.executable).with_name("kubeproof")
    asked = {"_KUBEPROOF_COMPLETE": "complete_bash", "COMP_WORDS": "kubeproof ver", "COMP_CWORD": "1"}
    told = subprocess.run([program], env=asked, capture_output=True, text=True, check=False)
    assert told.stdout.split() == ["verify"]


def test_an_unknown_command_is_bad_input() -> None:
    """With what there is."""
    assert "No such command 'verfy'" in refused("verfy")


def test_verify_collects_the_inventory_from_any_folder(empty_folder: Path) -> None:
    """And leaves nothing there."""
    ended = kubeproof("verify", "--collect-only", "-q", "-k", "hostname_is_the_nodes")
    assert ended.returncode == 0
    assert "tests/node/test_names.py::test_hostname_is_the_nodes[m-k8s]" in ended.stdout.splitlines()
    assert [*empty_folder.iterdir()] == []


def test_verify_judges_the_inventory_from_any_folder(tmp_path: Path) -> None:
    """Its workers collect it as well, and only then is a cluster looked for that nobody answers for."""
    clusters = [{"name": "shop", "cluster": {"server": "https://127.0.0.1:9"}}]  # the port of discard
    context = {"name": "shop", "context": {"cluster": "shop", "user": "me"}}
    config = {"clusters": clusters, "contexts": [context], "current-context": "shop", "users": [{"name": "me"}]}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    spec = tmp_path / "shop.yaml"
    spec.write_text(yaml.safe_dump({"name": "shop", "provider": "existing", "kubeconfig": "kubeconfig"}))
    judged = kubeproof("verify", f"--cluster={spec}")
    assert judged.returncode == cli.NOT_PROVED
    assert "1 could not be judged" in judged.stdout


def test_a_path_of_the_inventory_narrows_it_from_any_folder() -> None:
    """As it stands in the report."""
    ended = kubeproof("verify", "--collect-only", "-q", "tests/node/test_names.py::test_hostname_is_the_nodes[w1-k8s]")
    assert ended.returncode == 0
    assert ended.stdout.splitlines()[0] == "tests/node/test_names.py::test_hostname_is_the_nodes[w1-k8s]"
    assert "\n1/1 tests collected" in ended.stdout or "\n1 test collected" in ended.stdout


def test_up_leaves_out_what_breaks_things() -> None:
    """And takes pytest's options as well."""
    ended = kubeproof("up", "--collect-only", "-q", "tests/components/test_kubelet_stopped.py")
    assert ended.returncode == cli.BAD_INPUT  # a selection without a check
    assert "no tests collected" in ended.stdout


@pytest.mark.parametrize(
    ("body", "status"), [("pass", 0), ("assert False", 1), ("raise KeyboardInterrupt", 1), ("syntax error", 1)]
)
def test_verifys_status_is_the_verdict(empty_folder: Path, body: str, status: int) -> None:
    """Of a check of one's own that needs no cluster."""
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
    """Before anything starts."""
    ended = kubeproof("verify", *arguments)
    assert ended.returncode == cli.BAD_INPUT
    assert message in ended.stderr.replace(f"{empty_folder}/", "")


@pytest.mark.parametrize("command", ["mend", "doctor"])
def test_a_spec_that_can_not_be_used_is_bad_input(command: str) -> None:
    """Whoever reads it."""
    assert "the spec can't be used:\nnowhere.yaml: can't be read" in refused(command, "--cluster", "nowhere.yaml")


def test_diffs_status_is_the_gate(tmp_path: Path) -> None:
    """Worse, not worse, and no run at all."""
    green, red = write(tmp_path / "green", [result()]), write(tmp_path / "red", [result(outcome="failed")])
    assert (
        "swap_is_off on w1-k8s: passed, now failed"
        in CliRunner().invoke(cli.app, ["diff", f"{green}", f"{red}"]).stdout
    )
    assert CliRunner().invoke(cli.app, ["diff", f"{green}", f"{red}"]).exit_code == cli.NOT_PROVED
    assert "better (1)" in done("diff", red, green)
    assert "Name the folder of a run" in refused("diff", green, tmp_path)


def test_report_is_made_anew(tmp_path: Path) -> None:
    """And where it is, is said; a folder without results is bad input."""
    folder = write(tmp_path / "run", [result()])
    assert done("report", folder) == f"{folder}/report.html\n"
    assert (folder / "report.html").is_file()
    assert "Name the folder of a run" in refused("report", tmp_path)


def test_without_a_cluster_there_is_nothing_to_end_or_mend() -> None:
    """Which is well."""
    assert done("destroy") == ""
    assert done("mend") == "nothing was left in\n"


@pytest.fixture
def existing(tmp_path: Path) -> Path:
    """The spec of a cluster whose one machine nobody answers for, and in which a run left a fault."""
    config = {"contexts": [{"name": "shop", "context": {"cluster": "shop", "user": "me"}}]}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    (tmp_path / "ssh_config").write_text("Host node1\n  HostName 127.0.0.1\n  Port 9\n")
    file = tmp_path / "shop.yaml"
    known = {"name": "shop", "provider": "existing", "kubeconfig": "kubeconfig", "ssh_config": "ssh_config"}
    file.write_text(yaml.safe_dump(known))
    entry = faults.journal(tmp_path / "ssh_config") / "node1-kubelet-stopped.json"
    entry.parent.mkdir(parents=True)
    entry.write_text(Fault(name="kubelet stopped", node="node1", make="false", mend="true").model_dump_json())
    return file


def test_an_existing_cluster_is_mended_only_by_its_name(existing: Path) -> None:
    """It is somebody's."""
    told = refused("mend", "--cluster", existing)
    assert told == "shop exists already: `--allow-disruption shop` lets its machines be mended\n"


def test_a_machine_that_can_not_be_entered_is_not_mended(existing: Path) -> None:
    """The fault stays in the journal."""
    told = given_up("mend", "--quiet", "--cluster", existing, "--allow-disruption", "shop")
    assert told.startswith("node1 can't be entered over ssh")
    assert [fault.name for fault in faults.left_in(existing.with_name("ssh_config"))] == ["kubelet stopped"]


def test_a_shell_needs_a_cluster() -> None:
    """And the message says how to have one."""
    assert given_up("shell", "w1-k8s") == "no cluster is up: `kubeproof up` brings one up and keeps it\n"


def test_a_shell_on_no_machine_is_bad_input(own_state: Path) -> None:
    """With the machines that there are."""
    own_state.mkdir(parents=True)
    (own_state / "ssh_config").write_text("Host m-k8s\n  Port 1\nHost w1-k8s\n  Port 2\n")
    known = state.entrance(paths.DEFAULT_SPEC).model_dump_json()
    (own_state / "cluster.json").write_text(known)
    assert refused("shell", "w9-k8s") == "there is no machine w9-k8s: the cluster has m-k8s, w1-k8s\n"


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
    """And writes nothing."""
    (empty_folder / "empty").touch()
    assert message in refused("init", *arguments)
    assert [file.name for file in empty_folder.iterdir()] == ["empty"]
