"""The mutation gate: mutants, their verdicts, the table, and a mutant for every line of the scripts."""

import ast
import datetime
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from kubeproof.mutation import model, table, verdict
from kubeproof.mutation.model import Mutant, MutantsError
from kubeproof.mutation.table import Tally
from kubeproof.mutation.verdict import Verdict
from kubeproof.process import paths
from kubeproof.results import blame
from kubeproof.results.document import Document
from kubeproof.results.model import Outcome, Result
from kubeproof.spec.scripts import SCRIPTS
from selftests.provision import PROVISION
from selftests.sample_runs import NOON, RUN, result

# Lines without an effect of their own: comments, the ends and middles of blocks and here-documents, and announced
# steps, which other self-tests compare with the checks' claims.
IDLE = re.compile(r"\s*(#.*|\}?,?|fi|done|else|esac|EOF|---|end( if \w+)?|\{|step [\w-]+)")
MUTANTS = model.load(paths.MUTANTS)
STEPS = [source for name in SCRIPTS for source in blame.sources(PROVISION / name)]
JUDGED = [mutant for mutant in MUTANTS if not mutant.equivalent]
SEEN_ELSEWHERE = [mutant for mutant in MUTANTS if mutant.seen_by]


def untouched(text: str, mutants: Iterable[Mutant]) -> list[tuple[int, str]]:
    """The effective lines of a file, numbered from 1, that none of its mutants touches."""
    touched: set[int] = set()
    for place in [place for mutant in mutants for place in mutant.places]:
        start = text.index(place)
        first, last = text.count("\n", 0, start), text.count("\n", 0, start + len(place.rstrip("\n")))
        touched.update(range(first + 1, last + 2))
    lines = enumerate(text.splitlines(), start=1)
    return [(number, line) for number, line in lines if number not in touched and not IDLE.fullmatch(line)]


def mutant(**changes: object) -> Mutant:
    """A mutant of config.sh with those changes."""
    return Mutant.model_validate(
        {
            "name": "one",
            "file": "config.sh",
            "how": "so",
            "drop": "b\n",
            "check": "swap_is_off",
            "step": "swap-off",
            **changes,
        }
    )


def document(*results: Result) -> Document:
    """A run with those results."""
    return Document(run=RUN, ended=NOON, results=[*results], steps=[], timelines=[])


def red(check: str, script: str = "config.sh", step: str = "swap-off", message: str = "") -> Result:
    """A failed check."""
    return result(check=check, outcome="failed", script=script, step=step, message=message)


@pytest.mark.parametrize("file", model.FILES)
def test_no_effective_line_is_without_a_mutant(file: str) -> None:
    """An equivalent mutant counts: it says why nothing can be seen."""
    assert untouched((PROVISION / file).read_text(), [mutant for mutant in MUTANTS if mutant.file == file]) == []


def test_a_line_without_a_mutant_is_found() -> None:
    """Comments, announcements and ends of blocks have no effect; the third line has one."""
    text = "# why\nstep swap\nswapoff -a\nif true; then\n  b\nfi\n"
    assert untouched(text, [mutant(drop="if true; then\n  b\n")]) == [(3, "swapoff -a")]


@pytest.mark.parametrize("bundled", MUTANTS, ids=lambda bundled: bundled.name)
def test_each_edit_fits_and_changes_its_file(bundled: Mutant) -> None:
    """In its present version."""
    text = (PROVISION / bundled.file).read_text()
    assert bundled.applied(text) != text


def test_each_named_check_is_one_and_blames_the_step() -> None:
    """A mutant that names a missing check could never be killed by it."""
    claims = {
        function.name.removeprefix("test_"): set(re.findall(r"mark\.step\('[^']+', '([^']+)'", decorators))
        for file in (paths.CHECKOUT / "tests").rglob("test_*.py")
        for function in ast.walk(ast.parse(file.read_text()))
        if isinstance(function, ast.FunctionDef)
        for decorators in [" ".join(ast.unparse(decorator) for decorator in function.decorator_list)]
    }
    named = {(judged.check, judged.step) for judged in JUDGED if judged.check != verdict.BRING_UP}
    assert {(check, step) for check, step in named if step not in claims.get(str(check), ())} == set()


@pytest.mark.parametrize("unseen", SEEN_ELSEWHERE, ids=lambda unseen: unseen.name)
def test_what_the_lab_cannot_show_another_test_sees(unseen: Mutant, tmp_path: Path) -> None:
    """The self-test that the mutant names passes with the unchanged scripts, and fails with the edit."""
    assert unseen.seen_by is not None
    broken = tmp_path / "provision"
    shutil.copytree(PROVISION, broken)
    (broken / unseen.file).write_text(unseen.applied((broken / unseen.file).read_text()))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", unseen.seen_by],
        cwd=paths.CHECKOUT,
        env={**os.environ, "KUBEPROOF_PROVISION": str(broken)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout


@pytest.mark.parametrize(
    ("edit", "edited"),
    [
        ({"drop": "b\n"}, "a\nc\n"),
        ({"drop": None, "replace": "b", "by": "B"}, "a\nB\nc\n"),
        ({"drop": None, "silence": "b"}, "a\nfalse && b\nc\n"),
        ({"drop": None, "swap": ["c", "a"]}, "c\nb\na\n"),
        ({"drop": None, "undo": "d"}, "a\nb\nc\nd\n"),
    ],
)
def test_an_edit_is_made(edit: dict[str, object], edited: str) -> None:
    """Each kind of edit."""
    assert mutant(**edit).applied("a\nb\nc\n") == edited


@pytest.mark.parametrize(("text", "times"), [("a\n", 0), ("b\nb\n", 2)])
def test_an_edit_that_does_not_fit_is_refused(text: str, times: int) -> None:
    """It could change the wrong place, or nothing."""
    with pytest.raises(
        MutantsError, match=f"one: config.sh must contain this text once, and contains it {times} times:\nb"
    ):
        mutant().applied(text)


def test_a_silenced_command_does_not_stop_the_script() -> None:
    """It prints nothing either, whatever options bash has."""
    text = mutant(drop=None, silence="false_command --now").applied(
        "set -Eeuo pipefail\nfalse_command --now\necho on\n"
    )
    run = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr, run.returncode) == ("on\n", "", 0)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"file": "other.sh"}, "file must be one of step.sh, config.sh"),
        ({"undo": "b"}, "exactly one of drop, replace, silence, swap, undo must be there, not drop and undo"),
        ({"drop": None}, "must be there, not none"),
        ({"drop": None, "replace": "b"}, "replace and by go together"),
        ({"equivalent": "no"}, "one of check and equivalent must be there, and not both"),
        ({"step": None}, "check needs the responsible step, or a text that the bring-up says"),
        ({"hwo": "so"}, "0.hwo"),
    ],
)
def test_a_mutant_that_makes_no_sense_is_refused(tmp_path: Path, changes: dict[str, object], problem: str) -> None:
    """The message names the file and what would be right."""
    file = tmp_path / "mutants.yaml"
    whole = {"name": "one", "file": "config.sh", "how": "so", "drop": "b", "check": "swap_is_off", "step": "swap-off"}
    file.write_text(yaml.safe_dump([{key: value for key, value in {**whole, **changes}.items() if value is not None}]))
    with pytest.raises(MutantsError, match=re.escape(problem)) as refused:
        model.load(file)
    assert str(file) in str(refused.value)


@pytest.mark.parametrize(
    ("results", "kind"),
    [
        ([result()], "survived"),
        ([red("swap_is_off")], "right check"),
        ([red("swap_is_off[x]"), red("node_is_ready", "master_node.sh", "pod-network")], "right check"),
        ([red("vi_alias", step="vi-alias"), red("swap_is_off")], "others"),
        ([red("swap_is_off", step="vi-alias")], "others"),
        ([red("bring_up", "config.sh", "swap-off")], "right message"),
        ([red("bring_up", "work_nodes.sh", "kubeadm-join")], "others"),
        ([red("bring_up", "", "", "its output: no such file")], "right message"),
    ],
)
def test_a_verdict_is_by_what_is_named_first(results: list[Result], kind: str) -> None:
    """The right check with the right step, or a bring-up whose message names the step."""
    assert verdict.judge(mutant(says="no such file"), document(*results), 1).kind == kind


@pytest.mark.parametrize("outcome", ["failed", "error"])
def test_the_earliest_step_is_named_first(outcome: Outcome) -> None:
    """In whatever order they were judged: later steps fail because an earlier one is incomplete."""
    source = RUN.step_sources[0]
    late, early = red("later", step="none of the scripts'"), red("earlier", source.script, source.step)
    results = [check.model_copy(update={"outcome": outcome}) for check in (late, early)]
    assert [wrong.check for wrong in document(*results).wrong] == ["earlier", "later"]


def test_a_workers_own_steps_are_named_before_the_control_planes() -> None:
    """The control plane made no other worker fail."""
    init, join = red("init", "master_node.sh", "kubeadm-init"), red("join", "work_nodes.sh", "kubeadm-join")
    results = [check.model_copy(update={"node": "w1-k8s"}) for check in (init, join)]
    assert [wrong.check for wrong in document(*results).wrong] == ["join", "init"]


def test_of_the_control_planes_steps_for_a_worker_the_earliest_is_named_first() -> None:
    """They have the order of its script."""
    late, early = red("network", "master_node.sh", "pod-network"), red("init", "master_node.sh", "kubeadm-init")
    results = [check.model_copy(update={"node": "w1-k8s"}) for check in (late, early)]
    assert [wrong.check for wrong in document(*results).wrong] == ["init", "network"]


def test_a_fact_of_one_machine_is_named_before_a_fact_of_two() -> None:
    """For the same step."""
    results = [red(name).model_copy(update={"node": node}) for name, node in (("between", ""), ("alone", "w1-k8s"))]
    assert [wrong.check for wrong in document(*results).wrong] == ["alone", "between"]


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
    """Scripts and their steps are in order; the Vagrantfile, which makes the machine, comes before all of them."""
    assert blame.is_before(script, step, ("config.sh", "hosts"), STEPS) is due


def test_all_steps_of_a_machine_whose_scripts_have_run_were_due() -> None:
    """Even if there is no cluster."""
    assert blame.is_before("master_node.sh", "pod-network", ("master_node.sh", blame.END), STEPS)
    assert not blame.is_before("master_node.sh", "pod-network", ("work_nodes.sh", blame.END), STEPS)


def test_the_steps_of_another_role_were_never_due() -> None:
    """No step of the control plane comes before a worker's own."""
    assert blame.is_before("install_pkg.sh", "kube-packages", ("work_nodes.sh", "kubeadm-join"), STEPS)
    assert not blame.is_before("master_node.sh", "calico", ("work_nodes.sh", "kubeadm-join"), STEPS)


def written(folder: Path, *verdicts: Verdict) -> Tally:
    """A tally of those verdicts, written into the folder."""
    tally = Tally(at=datetime.datetime.now(datetime.UTC), seconds=1, side_by_side=1, controls={}, verdicts=[*verdicts])
    table.write(tally, folder)
    return tally


def test_a_survivor_is_in_the_table_and_counts(tmp_path: Path) -> None:
    """Its row names the check that should have noticed it."""
    survivor = verdict.judge(mutant(), document(result()), 1)
    tally = written(tmp_path, survivor, verdict.without_results(mutant(), "equivalent", "nobody can see it"))
    page = (tmp_path / "mutants.md").read_text()
    assert tally.survivors == [survivor]
    assert "0 of 1 mutants killed" in page
    assert "| ✘ | one | so | nothing; swap_is_off should be |" in page
    assert "nobody can see it" in page
    assert Tally.model_validate_json((tmp_path / "mutants.json").read_text()) == tally


def test_the_failures_of_a_peer_are_in_the_table(tmp_path: Path) -> None:
    """It can't be run on a machine that did not come up."""
    verdicts = [
        verdict.judge(mutant(name=name), document(), 1).model_copy(update={"by_peer": failures})
        for name, failures in (("noticed", ["names resolve"]), ("not noticed", []), ("down", None))
    ]
    written(tmp_path, *verdicts)
    page = (tmp_path / "mutants.md").read_text()
    assert "the peer failed for 1 of 2" in page
    assert re.findall(r"names resolve|all green|not asked", page) == ["names resolve", "all green", "not asked"]
