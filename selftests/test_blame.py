"""Blame has a mechanism: each step of a script is claimed by a check, and each claim names a step that is there."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from kubeproof.process import paths
from selftests.provision import PROVISION

SCRIPTS = ("config.sh", "install_pkg.sh", "master_node.sh", "work_nodes.sh")


def steps() -> set[tuple[str, str]]:
    """Every step that a script announces."""
    return {
        (script, step)
        for script in SCRIPTS
        for step in re.findall(r"^\s*step ([\w-]+)$", (PROVISION / script).read_text(), re.MULTILINE)
    }


def claims() -> set[tuple[str, str]]:
    """Every step that a check names."""
    return {
        (script, step)
        for file in (paths.CHECKOUT / "tests").rglob("*.py")
        for script, step in re.findall(r'mark\.step\("([^"]+)", "([^"]+)"', file.read_text())
    }


def test_every_step_is_claimed_by_a_check() -> None:
    """A step that nothing judges could be lost unseen."""
    assert steps() - claims() == set()


def test_every_claim_is_a_step() -> None:
    """A claim of the Vagrantfile's is a setting there."""
    assert {claim for claim in claims() if claim[0] in SCRIPTS} <= steps()
    vagrantfile = (PROVISION / "Vagrantfile").read_text()
    of_vagrant = {step for script, step in claims() if script == "Vagrantfile"}
    assert {step for step in of_vagrant if step not in vagrantfile} == set()
    functions = re.findall(r"^(\w+)\(\) \{", (PROVISION / "step.sh").read_text(), re.MULTILINE)
    assert {step for script, step in claims() if script == "step.sh"} <= {*functions}
    assert {script for script, _ in claims()} == {*SCRIPTS, "step.sh", "Vagrantfile"}


@pytest.fixture
def announced(tmp_path: Path) -> tuple[str, list[dict[str, object]]]:
    """What a script with a failing second step says, and what the machine's log keeps."""
    script = tmp_path / "config.sh"
    script.write_text(f"SCRIPT=config.sh\n. {PROVISION}/step.sh\nstep one\ntrue\nstep two\nfalse\nstep three\n")
    log = tmp_path / "log"
    log.mkdir()
    # step.sh writes to /var/log: here, in a mount namespace of its own, that is another folder.
    shell = f"mount --bind {log} /var/log && exec bash {script}"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", shell], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stdout, [json.loads(line) for line in (log / "provision.log").read_text().splitlines()]


def test_a_failing_step_is_named_with_its_line(announced: tuple[str, list[dict[str, object]]]) -> None:
    """Script, step, line and command; and nothing runs after it."""
    assert announced[0].splitlines() == [
        "::step config.sh one start 0",
        "::step config.sh one end 0",
        "::step config.sh two start 0",
        "::failed config.sh two line 6: false",
        "::step config.sh two end 1",
    ]


def test_the_machines_log_has_each_step_with_its_status(announced: tuple[str, list[dict[str, object]]]) -> None:
    """So that it can be asked later."""
    assert [(line["step"], line["event"], line["status"]) for line in announced[1]] == [
        ("one", "start", 0),
        ("one", "end", 0),
        ("two", "start", 0),
        ("two", "end", 1),
    ]
