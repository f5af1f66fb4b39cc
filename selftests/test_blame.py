"""Blame: a check claims each step of the scripts, and each claim names a step that exists."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from kubeproof.process import paths
from kubeproof.spec.scripts import CONFIG, EVERYWHERE, OF_ROLE, STEP_LIBRARY, VAGRANTFILE
from selftests.provision import PROVISION

SCRIPTS = (*EVERYWHERE, *OF_ROLE.values())  # the scripts that announce steps


def steps() -> set[tuple[str, str]]:
    """The steps that the scripts announce."""
    return {
        (script, step)
        for script in SCRIPTS
        for step in re.findall(r"^\s*step ([\w-]+)$", (PROVISION / script).read_text(), re.MULTILINE)
    }


def claims() -> set[tuple[str, str]]:
    """The steps that checks name."""
    return {
        (script, step)
        for file in (paths.CHECKOUT / "tests").rglob("*.py")
        for script, step in re.findall(r'mark\.step\("([^"]+)", "([^"]+)"', file.read_text())
    }


def test_every_step_is_claimed_by_a_check() -> None:
    """Nobody would notice the loss of a step that no check judges."""
    assert steps() - claims() == set()


def test_every_claim_is_a_step() -> None:
    """A claim on the Vagrantfile is a setting in it, one on the library a function."""
    assert {claim for claim in claims() if claim[0] in SCRIPTS} <= steps()
    vagrantfile = (PROVISION / VAGRANTFILE).read_text()
    settings = {step for script, step in claims() if script == VAGRANTFILE}
    assert {setting for setting in settings if setting not in vagrantfile} == set()
    functions = re.findall(r"^(\w+)\(\) \{", (PROVISION / STEP_LIBRARY).read_text(), re.MULTILINE)
    assert {step for script, step in claims() if script == STEP_LIBRARY} <= {*functions}
    assert {script for script, _ in claims()} == {*SCRIPTS, STEP_LIBRARY, VAGRANTFILE}


@pytest.fixture
def announced(tmp_path: Path) -> tuple[str, list[dict[str, object]]]:
    """The output of a script with a failing second step, and the lines of the machine's log."""
    script = tmp_path / CONFIG
    script.write_text(f"SCRIPT={CONFIG}\n. {PROVISION}/{STEP_LIBRARY}\nstep one\ntrue\nstep two\nfalse\nstep three\n")
    log = tmp_path / "log"
    log.mkdir()
    # The library writes to /var/log, which is another folder in this mount namespace.
    shell = f"mount --bind {log} /var/log && exec bash {script}"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", shell], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stdout, [json.loads(line) for line in (log / "provision.log").read_text().splitlines()]


def test_a_failing_step_is_named_with_its_line(announced: tuple[str, list[dict[str, object]]]) -> None:
    """With script, line and command; and no step runs after it."""
    assert announced[0].splitlines() == [
        "::step config.sh one start 0",
        "::step config.sh one end 0",
        "::step config.sh two start 0",
        "::failed config.sh two line 6: false",
        "::step config.sh two end 1",
    ]


def test_the_machines_log_has_each_step_with_its_status(announced: tuple[str, list[dict[str, object]]]) -> None:
    """For checks to read."""
    assert [(line["step"], line["event"], line["status"]) for line in announced[1]] == [
        ("one", "start", 0),
        ("one", "end", 0),
        ("two", "start", 0),
        ("two", "end", 1),
    ]
