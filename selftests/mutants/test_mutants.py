"""A provisioning script that lost a line: the verdict is red, and blames the step that lost it and no other.

Each mutant is a cluster of its own, about two minutes: `make mutants` runs them, `make test` does not.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from kubeproof import paths, results
from kubeproof.spec import SCRIPTS

PROVISION = paths.DEFAULT_SPEC.parent.parent


@dataclass(frozen=True)
class Mutant:
    """A script without the lines that a pattern matches, and what must be red for it: check names, one step."""

    name: str
    script: str
    lost: str
    step: str
    checks: frozenset[str]


MUTANTS = [
    Mutant(
        "hosts lines",
        "config.sh",
        r"^while read -r line; do\n.*\ndone <<< .*\n",
        "hosts",
        frozenset({"hosts_has_every_node", "hosts_has_no_duplicates", "hosts_keeps_loopback_apart"}),
    ),
    Mutant("fstab line", "config.sh", r"^sed .*/etc/fstab\n", "swap-stays-off", frozenset({"swap_stays_off"})),
    Mutant(
        "sysctl file",
        "config.sh",
        r"^cat > /etc/sysctl.d/k8s.conf(.*\n)+?EOF\nsysctl .*\n",
        "sysctls",
        # kubeadm refuses a machine that does not forward: what its preparation owes is judged all the same.
        frozenset({"bring_up", "ip_forward", "bridge_nf_call_iptables", "sysctls_are_persistent"}),
    ),
    Mutant("hold", "install_pkg.sh", r"^hold .*\n", "kube-packages-held", frozenset({"kube_packages_are_held"})),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_lost_line_is_red_with_the_right_blame(mutant: Mutant, tmp_path: Path) -> None:
    """Every check that must see it does, and every red check names the step."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name in SCRIPTS:
        shutil.copy(PROVISION / name, scripts)
    whole = (scripts / mutant.script).read_text()
    less, count = re.subn(mutant.lost, "", whole, flags=re.MULTILINE)
    assert count == 1, f"{mutant.script} no longer has what this mutant loses"
    (scripts / mutant.script).write_text(less)
    spec = tmp_path / "spec.yaml"
    spec.write_text(paths.DEFAULT_SPEC.read_text().replace("scripts: ..", f"scripts: {scripts}"))

    arguments = ["-n", "auto", f"--cluster={spec}", f"--reports={tmp_path / 'reports'}", "-m", "not experiment"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=paths.CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    _, judged = results.read(tmp_path / "reports" / "latest")
    red = [result for result in judged if result.outcome != "passed"]
    assert mutant.checks <= {result.check for result in red}
    blamed = {(result.script, result.step) for result in red if result.check != "bring_up"}
    assert blamed == {(mutant.script, mutant.step)}
