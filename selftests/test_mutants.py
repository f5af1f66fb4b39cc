"""The mutation gate: what a mutant is, what is said of it, and that no line of the scripts is without one."""

import ast
import datetime
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kubeproof.mutation import model, table, verdict
from kubeproof.mutation.model import Mutant, MutantsError
from kubeproof.mutation.table import Tally
from kubeproof.process import paths
from kubeproof.results import blame
from kubeproof.results.document import Document
from kubeproof.results.model import Outcome, Result
from kubeproof.spec.scripts import SCRIPTS
from selftests.provision import PROVISION
from selftests.sample_runs import NOON, RUN, result

FILES = (*SCRIPTS, model.VAGRANTFILE)
MUTANTS = model.load(paths.MUTANTS)
JUDGED = [mutant for mutant in MUTANTS if not mutant.equivalent]
SEEN_ELSEWHERE = [mutant for mutant in MUTANTS if mutant.seen_by]


def mutant(**known: object) -> Mutant:
    """A mutant of config.sh, with what matters."""
    return Mutant.model_validate(
        {
            "name": "one",
            "file": "config.sh",
            "how": "so",
            "drop": "b\n",
            "check": "swap_is_off",
            "step": "swap-off",
            **known,
        }
    )


def seen(*judged: Result) -> Document:
    """What a run on a machine saw."""
    return Document(run=RUN, ended=NOON, results=[*judged], steps=[], timelines=[])


def red(check: str, script: str = "config.sh", step: str = "swap-off", message: str = "") -> Result:
    """A check that failed."""
    return result(check=check, outcome="failed", script=script, step=step, message=message)


@pytest.mark.parametrize("file", FILES)
def test_no_effective_line_is_without_a_mutant(file: str) -> None:
    """Each is touched by one, or by an edit that is proved to change nothing that can be seen."""
    assert model.untouched((PROVISION / file).read_text(), [one for one in MUTANTS if one.file == file]) == []


def test_a_line_without_a_mutant_is_found() -> None:
    """Comments, announcements and ends of blocks do nothing; the third line does."""
    text = "# why\nstep swap\nswapoff -a\nif true; then\n  b\nfi\n"
    assert model.untouched(text, [mutant(drop="if true; then\n  b\n")]) == [(3, "swapoff -a")]


@pytest.mark.parametrize("one", MUTANTS, ids=lambda one: one.name)
def test_each_edit_fits_and_changes_its_file(one: Mutant) -> None:
    """As the file is now."""
    text = (PROVISION / one.file).read_text()
    assert one.applied(text) != text


def test_each_named_check_is_one_and_blames_the_step() -> None:
    """A name that no check has could never be red."""
    claims = {
        function.name.removeprefix("test_"): set(re.findall(r"mark\.step\('[^']+', '([^']+)'", decorators))
        for file in (paths.CHECKOUT / "tests").rglob("test_*.py")
        for function in ast.walk(ast.parse(file.read_text()))
        if isinstance(function, ast.FunctionDef)
        for decorators in [" ".join(ast.unparse(one) for one in function.decorator_list)]
    }
    named = {(one.check, one.step) for one in JUDGED if one.check != verdict.BRING_UP}
    assert {(check, step) for check, step in named if step not in claims.get(str(check), ())} == set()


@pytest.mark.parametrize("one", SEEN_ELSEWHERE, ids=lambda one: one.name)
def test_what_the_lab_cannot_show_another_test_sees(one: Mutant, tmp_path: Path) -> None:
    """The self-test that the mutant names, green with the scripts as they are, is red with the edit."""
    assert one.seen_by is not None
    broken = tmp_path / "provision"
    shutil.copytree(PROVISION, broken)
    (broken / one.file).write_text(one.applied((broken / one.file).read_text()))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", one.seen_by],
        cwd=paths.CHECKOUT,
        env={**os.environ, "KUBEPROOF_PROVISION": str(broken)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout


@pytest.mark.parametrize(
    ("edit", "made"),
    [
        ({"drop": "b\n"}, "a\nc\n"),
        ({"drop": None, "replace": "b", "by": "B"}, "a\nB\nc\n"),
        ({"drop": None, "silence": "b"}, "a\nfalse && b\nc\n"),
        ({"drop": None, "swap": ["c", "a"]}, "c\nb\na\n"),
        ({"drop": None, "undo": "d"}, "a\nb\nc\nd\n"),
    ],
)
def test_an_edit_is_made(edit: dict[str, object], made: str) -> None:
    """Of each kind."""
    assert mutant(**edit).applied("a\nb\nc\n") == made


@pytest.mark.parametrize(("text", "times"), [("a\n", 0), ("b\nb\n", 2)])
def test_an_edit_that_does_not_fit_is_refused(text: str, times: int) -> None:
    """Rather than made somewhere, or nowhere."""
    with pytest.raises(MutantsError, match=f"one: config.sh has {times} times, and must have once:\nb"):
        mutant().applied(text)


def test_a_silenced_command_does_not_stop_the_script() -> None:
    """Nor does it speak, whatever bash is told about errors."""
    text = mutant(drop=None, silence="false_command --now").applied(
        "set -Eeuo pipefail\nfalse_command --now\necho on\n"
    )
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("on\n", "", 0)


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({"file": "other.sh"}, "file must be one of step.sh, config.sh"),
        ({"undo": "b"}, "exactly one of drop, replace, silence, swap, undo must be there, not drop and undo"),
        ({"drop": None}, "must be there, not none"),
        ({"drop": None, "replace": "b"}, "replace and by go together"),
        ({"equivalent": "no"}, "one of check and equivalent must be there, and not both"),
        ({"step": None}, "a check's mutant needs the step to blame, or what the bring-up says"),
        ({"hwo": "so"}, "0.hwo"),
    ],
)
def test_a_mutant_that_makes_no_sense_is_refused(tmp_path: Path, known: dict[str, object], told: str) -> None:
    """With the file and what would be right."""
    file = tmp_path / "mutants.yaml"
    whole = {"name": "one", "file": "config.sh", "how": "so", "drop": "b", "check": "swap_is_off", "step": "swap-off"}
    file.write_text(yaml.safe_dump([{key: value for key, value in {**whole, **known}.items() if value is not None}]))
    with pytest.raises(MutantsError, match=re.escape(told)) as refused:
        model.load(file)
    assert str(file) in str(refused.value)


@pytest.mark.parametrize(
    ("judged", "kind"),
    [
        ([result()], "survived"),
        ([red("swap_is_off")], "right check"),
        ([red("swap_is_off[x]"), red("node_is_ready", "master_node.sh", "pod-network")], "right check"),
        ([red("vi_alias", step="vi-alias"), red("swap_is_off")], "others"),
        ([red("swap_is_off", step="vi-alias")], "others"),
        ([red("bring_up", "config.sh", "swap-off")], "right message"),
        ([red("bring_up", "work_nodes.sh", "kubeadm-join")], "others"),
        ([red("bring_up", "", "", "it says: no such file")], "right message"),
    ],
)
def test_a_verdict_is_by_what_is_named_first(judged: list[Result], kind: str) -> None:
    """The right check with the right step, or a bring-up whose message names it."""
    assert verdict.judge(mutant(says="no such file"), seen(*judged), 1).kind == kind


@pytest.mark.parametrize("outcome", ["failed", "error"])
def test_the_earliest_step_is_named_first(outcome: Outcome) -> None:
    """Whatever was seen first: what it left undone is what the later ones fail of."""
    source = RUN.step_sources[0]
    late, early = red("later", step="none of the scripts'"), red("earlier", source.script, source.step)
    judged = [one.model_copy(update={"outcome": outcome}) for one in (late, early)]
    assert [one.check for one in seen(*judged).wrong] == ["earlier", "later"]


def test_a_workers_own_steps_are_named_before_the_control_planes() -> None:
    """Which made no other worker fail."""
    init, join = red("init", "master_node.sh", "kubeadm-init"), red("join", "work_nodes.sh", "kubeadm-join")
    judged = [one.model_copy(update={"node": "w1-k8s"}) for one in (init, join)]
    assert [one.check for one in seen(*judged).wrong] == ["join", "init"]


def test_of_what_the_control_plane_owes_a_worker_the_earliest_step_is_named_first() -> None:
    """In the order of its steps, as all else."""
    late, early = red("network", "master_node.sh", "pod-network"), red("init", "master_node.sh", "kubeadm-init")
    judged = [one.model_copy(update={"node": "w1-k8s"}) for one in (late, early)]
    assert [one.check for one in seen(*judged).wrong] == ["init", "network"]


def test_what_one_machine_says_is_named_before_what_is_between_two() -> None:
    """Of the same step."""
    judged = [red(name).model_copy(update={"node": node}) for name, node in (("between", ""), ("alone", "w1-k8s"))]
    assert [one.check for one in seen(*judged).wrong] == ["alone", "between"]


@pytest.mark.parametrize(
    ("script", "step", "due"),
    [
        ("config.sh", "vi-alias", True),
        ("config.sh", "hosts", False),
        ("install_pkg.sh", "admin-tools", False),
        ("Vagrantfile", "hostname", True),
    ],
)
def test_what_came_before_the_failed_step_was_due(script: str, step: str, due: bool) -> None:
    """By the order of the scripts, and of the steps in them; the machine itself before all."""
    known = [source for name in SCRIPTS for source in blame.sources(PROVISION / name)]
    assert blame.is_before(script, step, ("config.sh", "hosts"), known) is due


def test_a_machine_whose_scripts_have_run_owes_all_their_steps() -> None:
    """Though no cluster may have come of them."""
    known = [source for name in SCRIPTS for source in blame.sources(PROVISION / name)]
    assert blame.is_before("master_node.sh", "pod-network", ("master_node.sh", blame.END), known)
    assert not blame.is_before("master_node.sh", "pod-network", ("work_nodes.sh", blame.END), known)


def test_what_another_role_owes_was_never_due() -> None:
    """A worker has no control plane's steps before its own."""
    known = [source for name in SCRIPTS for source in blame.sources(PROVISION / name)]
    assert blame.is_before("install_pkg.sh", "kube-packages", ("work_nodes.sh", "kubeadm-join"), known)
    assert not blame.is_before("master_node.sh", "calico", ("work_nodes.sh", "kubeadm-join"), known)


def test_a_survivor_is_in_the_table_and_counts(tmp_path: Path) -> None:
    """With the check that should have seen it."""
    survivor = verdict.judge(mutant(), seen(result()), 1)
    alike = verdict.equivalent(mutant(check=None, step=None, equivalent="nobody can see it"))
    tally = Tally(
        at=datetime.datetime.now(datetime.UTC), seconds=1, side_by_side=1, controls={}, verdicts=[survivor, alike]
    )
    table.write(tally, tmp_path)
    page = (tmp_path / "mutants.md").read_text()
    assert tally.survivors == [survivor]
    assert "0 of 1 mutants killed" in page
    assert "| ✘ | one | so | nothing; swap_is_off should be |" in page
    assert "nobody can see it" in page
    assert Tally.model_validate_json((tmp_path / "mutants.json").read_text()) == tally


def test_what_a_peer_found_is_in_the_table(tmp_path: Path) -> None:
    """Of those on which it was asked: a machine that does not come up can't be."""
    noticed, not_noticed, down = (
        verdict.judge(mutant(name=name), seen(), 1).model_copy(update={"by_peer": found})
        for name, found in (("noticed", ["names resolve"]), ("not noticed", []), ("down", None))
    )
    tally = Tally(
        at=datetime.datetime.now(datetime.UTC),
        seconds=1,
        side_by_side=1,
        controls={},
        verdicts=[noticed, not_noticed, down],
    )
    table.write(tally, tmp_path)
    page = (tmp_path / "mutants.md").read_text()
    assert "the peer failed for 1 of 2" in page
    assert re.findall(r"names resolve|all green|not asked", page) == ["names resolve", "all green", "not asked"]
