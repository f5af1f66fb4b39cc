"""The reports of a run: for a pull request, for CI systems, for programs, and one page for people."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator
from junitparser.xunit2 import JUnitXml

from kubeproof import report
from kubeproof.process import paths
from kubeproof.report import topology
from kubeproof.results import document, model, store
from selftests import sample_runs
from selftests.sample_runs import result, write

SCHEMA = paths.CHECKOUT / "docs" / "results.schema.json"
COMMENT = 65_536  # characters that GitHub takes in a comment


def markdown(folder: Path, *judged: model.Result) -> str:
    """report.md of a run with those results."""
    return report.write(write(folder, list(judged))).with_name("report.md").read_text()


def page(folder: Path, *judged: model.Result) -> str:
    """report.html of a run with those results."""
    return report.write(write(folder, list(judged))).read_text()


def junit(folder: Path) -> ElementTree.Element:
    """junit.xml of the run in that folder, as any program reads it."""
    return ElementTree.fromstring((folder / "junit.xml").read_text())  # noqa: S314 # our own file


def test_the_first_line_is_the_verdict(tmp_path: Path) -> None:
    """Of which cluster, and whether it is proved."""
    assert markdown(tmp_path, result()).startswith("# ✔ k8s: PROVED: all 1 checks passed\n")


def test_red_names_check_node_expected_seen_and_the_steps_line(tmp_path: Path) -> None:
    """Everything that a person asks next, in a row of a table."""
    red = result(outcome="failed", script="config.sh", step="swap-off", expected="[]", seen="['/dev/sda2']")
    row = "| ✘ | swap_is_off | w1-k8s | <code>[]</code> | <code>['/dev/sda2']</code> | config.sh:16, swap-off |"
    assert row in markdown(tmp_path, result(), red)


def test_the_line_is_the_scripts_own() -> None:
    """Counted as an editor counts."""
    source = sample_runs.RUN.source("config.sh", "swap-off")
    assert source is not None
    lines = (paths.DEFAULT_SPEC.parent.parent / "config.sh").read_text().splitlines()
    assert (lines[source.line - 1], source.text) == ("step swap-off", "step swap-off\nswapoff -a")


def test_an_unknown_step_is_said_to_be_unknown(tmp_path: Path) -> None:
    """Scripts of others may name none."""
    assert "| unknown step |" in markdown(tmp_path, result(outcome="failed"))


def test_no_step_is_blamed_for_what_could_not_be_judged(tmp_path: Path) -> None:
    """Nobody knows whether the fact is wrong."""
    text = markdown(tmp_path, result(outcome="error", script="config.sh", step="swap-off", message="timed out"))
    assert "| ! | swap_is_off | w1-k8s |  | timed out | could not be judged on w1-k8s |" in text


def test_failures_come_before_what_could_not_be_judged(tmp_path: Path) -> None:
    """An unreachable machine does not hide them."""
    text = markdown(tmp_path, result(outcome="error", check="one"), result(outcome="failed", check="other"))
    assert text.index("| other |") < text.index("| one |")


def test_a_machines_words_do_not_break_the_table(tmp_path: Path) -> None:
    """Pipes, line ends, markup and backticks are text."""
    text = markdown(tmp_path, result(outcome="failed", seen="a | b\n<b> `c`", message="```\nfence"))
    assert "<code>a &#124; b &lt;b&gt; `c`</code>" in text
    assert "\n````\n```\nfence\n````\n" in text


def test_a_pull_request_takes_even_the_longest_report(tmp_path: Path) -> None:
    """200 failures, each with much to say."""
    many = [
        one.model_copy(update={"message": "<" * 2_000, "seen": "<" * 2_000, "promise": "<" * 2_000})
        for one in store.read(sample_runs.red_200_times(tmp_path / "many"))[1]
    ]
    text = markdown(tmp_path / "long", *many)
    assert len(text) < COMMENT
    assert "And 150 more: see report.html." in text


def test_risks_and_what_does_not_apply_are_in_every_report(tmp_path: Path) -> None:
    """A green report does not hide them."""
    text, html = markdown(tmp_path / "one", result()), page(tmp_path / "other", result())
    for risk in ("the book's cluster is rebuilt at will and joins with a fixed token", "2027-12-31"):
        assert risk in text
        assert risk.replace("'", "&#39;") in html
        for file in ("results.json", "junit.xml"):
            assert risk in (tmp_path / "one" / file).read_text()
    for reason in ("selinux_is_permissive", "the nodes share the host"):
        assert reason in text
        assert reason in html.replace("<wbr>", "")


def test_junit_has_properties_and_tells_failure_from_error(tmp_path: Path) -> None:
    """As CI systems read it."""
    judged = [result(script="config.sh", step="hosts"), result(outcome="failed"), result(outcome="error")]
    report.write(write(tmp_path, judged))
    suite = next(iter(JUnitXml.fromfile(str(tmp_path / "junit.xml"))))
    assert (suite.tests, suite.failures, suite.errors) == (3, 1, 1)
    kept = {one.get("name"): one.get("value") for one in junit(tmp_path).iter("property")}
    assert kept.items() >= {"node": "w1-k8s", "component": "swap", "script": "config.sh", "step": "hosts"}.items()
    assert kept["Kubernetes"] == sample_runs.SPEC.kubernetes.version


def test_junit_takes_what_no_xml_may_hold(tmp_path: Path) -> None:
    """The codes of a terminal, and bytes that are no text."""
    report.write(write(tmp_path, [result(outcome="failed", message="\x1b[31mred\x00 \udcff")]))
    failure = next(junit(tmp_path).iter("failure"))
    assert failure.text == "\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER} ?"


def test_the_committed_schema_is_that_of_the_models() -> None:
    """Where it is not: `.venv/bin/python -m kubeproof.report.schema > docs/results.schema.json`."""
    done = subprocess.run([sys.executable, "-m", "kubeproof.report.schema"], capture_output=True, text=True, check=True)
    assert SCHEMA.read_text() == done.stdout


@pytest.mark.parametrize("run", [sample_runs.green, sample_runs.red, sample_runs.red_200_times])
def test_results_json_is_as_the_schema_says(tmp_path: Path, run: sample_runs.Maker) -> None:
    """And is the same run when it is read again."""
    folder = run(tmp_path / "run")
    report.write(folder)
    whole = json.loads((folder / "results.json").read_text())
    assert list(Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors(whole)) == []
    assert document.Document.model_validate(whole) == document.read(folder)


def test_the_schema_refuses_another_version(tmp_path: Path) -> None:
    """A program that reads the document can tell."""
    report.write(sample_runs.green(tmp_path / "run"))
    whole = json.loads((tmp_path / "run" / "results.json").read_text())
    [error] = Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors({**whole, "schema_version": 0})
    assert list(error.path) == ["schema_version"]


def test_the_page_has_evidence_with_its_middle_left_out(tmp_path: Path) -> None:
    """Both ends tell most, and no page is too long to open."""
    html = report.write(sample_runs.red(tmp_path / "run")).read_text()
    assert "characters are left out here ]" in html
    assert len(html) < 250_000


@pytest.mark.parametrize(
    ("evidence", "told"),
    [
        ("evidence/gone.txt", "evidence/gone.txt can&#39;t be read: No such file or directory"),
        ("../../secret.txt", "../../secret.txt is not in the run&#39;s folder"),
    ],
)
def test_evidence_that_is_not_there_is_said_to_be_missing(tmp_path: Path, evidence: str, told: str) -> None:
    """Nor is anything read from elsewhere."""
    assert told in page(tmp_path, result(outcome="failed", evidence=evidence))


def test_every_judged_check_has_a_mark(tmp_path: Path) -> None:
    """Also one whose case only looks like a pair of machines, or is of a machine that the spec has not."""
    html = page(tmp_path, result(check="copies[here-to-there]", node=""), result(node="another"), result())
    assert html.count('data-verdict="passed"') == 3


def test_a_run_without_a_single_machine_or_result_has_a_page(tmp_path: Path) -> None:
    """Also one that was killed at once."""
    store.append(tmp_path, sample_runs.RUN.model_copy(update={"machines": []}))
    html = report.write(tmp_path).read_text()
    assert "The run ended early." in html


@pytest.mark.parametrize(("machines", "drawings"), [(topology.MOST, 1), (topology.MOST + 1, 0)])
def test_more_machines_than_can_be_told_apart_are_not_drawn(tmp_path: Path, machines: int, drawings: int) -> None:
    """Their ways would be the most of the page."""
    many = [model.Machine(name=f"w{number}-k8s", role="worker", address="") for number in range(machines)]
    store.append(tmp_path, sample_runs.RUN.model_copy(update={"machines": many}))
    assert report.write(tmp_path).read_text().count("<svg ") == drawings


def test_reports_are_made_anew_of_a_killed_runs_folder(tmp_path: Path) -> None:
    """From the command line, which says where."""
    folder = write(tmp_path, [result()], ended=False)
    done = subprocess.run(
        [sys.executable, "-m", "kubeproof", "report", str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{folder}/report.html\n"


def test_a_folder_that_is_none_is_a_message_and_status_2(tmp_path: Path) -> None:
    """And no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "kubeproof", "report", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.startswith(f"{tmp_path}/results.jsonl: can't be read")) == (2, True)


def test_a_second_look_is_told_with_the_first(tmp_path: Path) -> None:
    """Since when it is so."""
    second = result(check="swap_is_off[again]", outcome="failed", started=sample_runs.at(600), seconds=2)
    assert "Passed at 12:00:01, failed at 12:10:02 UTC" in page(tmp_path, result(), second)


def test_a_fact_without_a_comparison_is_expected_as_it_is_promised(tmp_path: Path) -> None:
    """And what its message says was seen."""
    red = result(outcome="failed", promise="A time service runs.", message="assert False\n + where False = chronyd")
    assert "| A time service runs. | assert False |" in markdown(tmp_path / "one", red)
    html = page(tmp_path / "other", red)
    assert html.index("Expected") < html.index("A time service runs.</pre>") < html.index("where False = chronyd</pre>")


def test_a_hint_names_the_spec_and_the_first_look(tmp_path: Path) -> None:
    """A second look alone would select nothing."""
    red = result(outcome="failed", nodeid="tests/node/test_swap.py::test_swap_is_off[again-w1-k8s]")
    check = "'tests/node/test_swap.py::test_swap_is_off[w1-k8s]'"
    command = f"kubeproof verify --keep-cluster --cluster provision/clusters/default.yaml {check}"
    assert f"- <code>{command}</code> judges this alone" in markdown(tmp_path, red)


def test_a_hint_has_what_a_machine_was_asked_last(tmp_path: Path) -> None:
    """And how it is entered, also where the check is of the whole cluster."""
    red = result(outcome="failed", node="", machine="m-k8s", command="kubectl get --raw=/readyz")
    text = markdown(tmp_path, red)
    assert "- <code>kubeproof shell m-k8s</code> is a root shell on that machine then" in text
    assert "- <code>kubectl get --raw=/readyz</code> is what was asked there last" in text


def test_an_existing_cluster_is_entered_by_its_own_ssh_config(tmp_path: Path) -> None:
    """It is neither kept nor entered by kubeproof."""
    store.append(tmp_path, sample_runs.RUN.model_copy(update={"provider": "existing"}))
    store.append(tmp_path, result(outcome="failed"))
    text = report.write(tmp_path).with_name("report.md").read_text()
    assert "<code>ssh w1-k8s</code>" in text
    assert "--keep-cluster" not in text


def test_a_long_message_keeps_its_end(tmp_path: Path) -> None:
    """Where a command says why."""
    text = markdown(tmp_path, result(outcome="failed", message="vagrant up failed\n" + "line\n" * 1_000 + "the reason"))
    assert "vagrant up failed" in text
    assert "the reason\n```" in text
