"""The report of a run in each format: for people, pull requests, CI systems and programs."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator
from junitparser.xunit2 import JUnitXml

from kubeproof import report
from kubeproof.process import paths
from kubeproof.report import formats, topology
from kubeproof.results import document, model, store
from kubeproof.spec.scripts import CONFIG
from selftests import sample_runs
from selftests.sample_runs import result, write

SCHEMA = paths.CHECKOUT / "docs" / "results.schema.json"
COMMENT = 65_536  # characters that GitHub accepts in a comment


def markdown(folder: Path, *results: model.Result) -> str:
    """report.md of a run with those results."""
    return report.write(write(folder, list(results))).with_name("report.md").read_text()


def page(folder: Path, *results: model.Result) -> str:
    """report.html of a run with those results."""
    return report.write(write(folder, list(results))).read_text()


def junit(folder: Path) -> ElementTree.Element:
    """The root of a folder's junit.xml."""
    return ElementTree.fromstring((folder / "junit.xml").read_text())  # noqa: S314 # kubeproof wrote the file


def test_the_first_line_is_the_verdict(tmp_path: Path) -> None:
    """With the name of the cluster."""
    assert markdown(tmp_path, result()).startswith("# ✔ k8s: PROVED: all 1 checks passed\n")


def test_red_names_check_node_expected_seen_and_the_steps_line(tmp_path: Path) -> None:
    """In one row of a table."""
    red = result(outcome="failed", script=CONFIG, step="swap-off", expected="[]", seen="['/dev/sda2']")
    row = "| ✘ | swap_is_off | w1-k8s | <code>[]</code> | <code>['/dev/sda2']</code> | config.sh:16, swap-off |"
    assert row in markdown(tmp_path, result(), red)


def test_the_line_of_a_step_is_that_of_the_script() -> None:
    """Counted from 1, as in an editor."""
    source = sample_runs.RUN.source(CONFIG, "swap-off")
    assert source is not None
    lines = (paths.DEFAULT_SPEC.parent.parent / CONFIG).read_text().splitlines()
    assert (lines[source.line - 1], source.text) == ("step swap-off", "step swap-off\nswapoff -a")


def test_the_report_says_that_a_step_is_unknown(tmp_path: Path) -> None:
    """A check may name no step."""
    assert "| unknown step |" in markdown(tmp_path, result(outcome="failed"))


def test_no_step_is_blamed_for_an_error(tmp_path: Path) -> None:
    """A check that could not run proves nothing."""
    text = markdown(tmp_path, result(outcome="error", script=CONFIG, step="swap-off", message="timed out"))
    assert "| ! | swap_is_off | w1-k8s |  | timed out | could not be judged on w1-k8s |" in text


def test_failures_come_before_errors(tmp_path: Path) -> None:
    """An unreachable machine does not hide them."""
    text = markdown(tmp_path, result(outcome="error", check="one"), result(outcome="failed", check="other"))
    assert text.index("| other |") < text.index("| one |")


def test_the_output_of_a_machine_does_not_break_the_table(tmp_path: Path) -> None:
    """Pipes, line ends, markup and backticks are shown as text."""
    text = markdown(tmp_path, result(outcome="failed", seen="a | b\n<b> `c`", message="```\nfence"))
    assert "<code>a &#124; b &lt;b&gt; `c`</code>" in text
    assert "\n````\n```\nfence\n````\n" in text


def test_the_longest_report_fits_into_a_comment(tmp_path: Path) -> None:
    """It has 200 failures with long messages."""
    many = [
        one.model_copy(update={"message": "<" * 2_000, "seen": "<" * 2_000, "promise": "<" * 2_000})
        for one in store.read(sample_runs.red_200_times(tmp_path / "many"))[1]
    ]
    text = markdown(tmp_path / "long", *many)
    assert len(text) < COMMENT
    assert "And 150 more: see report.html." in text


def test_checks_that_are_left_out_are_in_every_report(tmp_path: Path) -> None:
    """With the reason: an accepted risk, or machines that can't answer."""
    text, html = markdown(tmp_path / "one", result()), page(tmp_path / "other", result())
    for risk in ("the book's cluster is rebuilt at will and joins with a fixed token", "2027-12-31"):
        assert risk in text
        assert risk.replace("'", "&#39;") in html
        for file in ("results.json", "junit.xml"):
            assert risk in (tmp_path / "one" / file).read_text()
    for reason in ("selinux_is_permissive", "the nodes share the host"):
        assert reason in text
        assert reason in html.replace("<wbr>", "")


def test_junit_has_properties_failures_and_errors(tmp_path: Path) -> None:
    """A CI system reads them."""
    results = [result(script=CONFIG, step="hosts"), result(outcome="failed"), result(outcome="error")]
    report.write(write(tmp_path, results))
    suite = next(iter(JUnitXml.fromfile(str(tmp_path / "junit.xml"))))
    assert (suite.tests, suite.failures, suite.errors) == (3, 1, 1)
    properties = {one.get("name"): one.get("value") for one in junit(tmp_path).iter("property")}
    expected = {"node": "w1-k8s", "component": "swap", "script": CONFIG, "step": "hosts"}
    assert properties.items() >= expected.items()
    assert properties["Kubernetes"] == sample_runs.SPEC.kubernetes.version


def test_junit_replaces_characters_that_xml_forbids(tmp_path: Path) -> None:
    """Terminal codes, and bytes that are not UTF-8."""
    report.write(write(tmp_path, [result(outcome="failed", message="\x1b[31mred\x00 \udcff")]))
    failure = next(junit(tmp_path).iter("failure"))
    assert failure.text == "\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER} ?"


def test_the_committed_schema_is_that_of_the_models() -> None:
    """If it is not: `.venv/bin/python -m kubeproof.report.schema > docs/results.schema.json`."""
    done = subprocess.run([sys.executable, "-m", "kubeproof.report.schema"], capture_output=True, text=True, check=True)
    assert SCHEMA.read_text() == done.stdout


@pytest.mark.parametrize(
    "run", [sample_runs.green, sample_runs.red, sample_runs.red_200_times, sample_runs.of_version_1]
)
def test_results_json_follows_the_schema(tmp_path: Path, run: sample_runs.Maker) -> None:
    """And contains the run as it was read."""
    folder = run(tmp_path / "run")
    report.write(folder)
    content = json.loads((folder / "results.json").read_text())
    assert list(Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors(content)) == []
    assert document.Document.model_validate(content) == document.read(folder)


def test_the_schema_refuses_another_version(tmp_path: Path) -> None:
    """A program that reads the document can refuse it, too."""
    report.write(sample_runs.green(tmp_path / "run"))
    content = json.loads((tmp_path / "run" / "results.json").read_text())
    [error] = Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors({**content, "schema_version": 0})
    assert list(error.path) == ["schema_version"]


def test_the_page_has_evidence_with_its_middle_left_out(tmp_path: Path) -> None:
    """A page must not be too long to open."""
    html = report.write(sample_runs.red(tmp_path / "run")).read_text()
    assert "characters are left out here ]" in html
    assert len(html) < 250_000


@pytest.mark.parametrize(
    ("evidence", "message"),
    [
        ("evidence/gone.txt", "evidence/gone.txt can&#39;t be read: No such file or directory"),
        ("../../secret.txt", "../../secret.txt is not in the run&#39;s folder"),
    ],
)
def test_the_page_says_that_evidence_is_missing(tmp_path: Path, evidence: str, message: str) -> None:
    """No file outside the run's folder is read."""
    assert message in page(tmp_path, result(outcome="failed", evidence=evidence))


def test_every_judged_check_has_a_mark(tmp_path: Path) -> None:
    """Also one with a case that only looks like a pair of machines, and one of a machine that the spec lacks."""
    html = page(tmp_path, result(check="copies[file-to-disk]", node=""), result(node="another"), result())
    assert html.count('data-verdict="passed"') == 3


def test_a_run_without_a_single_machine_or_result_has_a_page(tmp_path: Path) -> None:
    """It may have been killed at once."""
    store.append(tmp_path, sample_runs.RUN.model_copy(update={"machines": []}))
    html = report.write(tmp_path).read_text()
    assert "The run ended early; the 0 checks that it judged passed." in html


@pytest.mark.parametrize(("machines", "drawings"), [(topology.MOST, 1), (topology.MOST + 1, 0)])
def test_too_many_machines_are_not_drawn(tmp_path: Path, machines: int, drawings: int) -> None:
    """A reader could not tell their lines apart."""
    many = [model.Machine(name=f"w{number}-k8s", role="worker", address="") for number in range(machines)]
    store.append(tmp_path, sample_runs.RUN.model_copy(update={"machines": many}))
    assert report.write(tmp_path).read_text().count("<svg ") == drawings


def test_the_command_makes_the_report_of_a_killed_run(tmp_path: Path) -> None:
    """And prints where it is."""
    folder = write(tmp_path, [result()], ended=False)
    done = subprocess.run(
        [sys.executable, "-m", "kubeproof", "report", str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{folder}/report.html\n"


def test_a_folder_without_a_run_ends_with_status_2(tmp_path: Path) -> None:
    """And a message instead of a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "kubeproof", "report", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.startswith(f"{tmp_path}/results.jsonl: can't be read")) == (2, True)


def test_a_check_that_ran_again_shows_both_verdicts(tmp_path: Path) -> None:
    """With their times."""
    second = result(check="swap_is_off[again]", outcome="failed", started=sample_runs.at(600), seconds=2)
    assert "Passed at 12:00:01, failed at 12:10:02 UTC" in page(tmp_path, result(), second)


def test_without_a_comparison_the_promise_is_expected(tmp_path: Path) -> None:
    """And the message was seen."""
    red = result(outcome="failed", promise="A time service runs.", message="assert False\n + where False = chronyd")
    assert "| A time service runs. | assert False |" in markdown(tmp_path / "one", red)
    html = page(tmp_path / "other", red)
    assert html.index("Expected") < html.index("A time service runs.</pre>") < html.index("where False = chronyd</pre>")


def test_a_hint_names_the_spec_and_the_first_run_of_a_check(tmp_path: Path) -> None:
    """A check that runs again selects nothing when it is alone."""
    red = result(outcome="failed", nodeid="tests/node/test_swap.py::test_swap_is_off[again-w1-k8s]")
    check = "'tests/node/test_swap.py::test_swap_is_off[w1-k8s]'"
    command = f"kubeproof verify --keep-cluster --cluster provision/clusters/default.yaml {check}"
    assert f"- <code>{command}</code> judges this alone" in markdown(tmp_path, red)


def test_a_hint_has_the_last_command_and_its_machine(tmp_path: Path) -> None:
    """Also for a check of the whole cluster."""
    red = result(outcome="failed", node="", machine="m-k8s", command="kubectl get --raw=/readyz")
    text = markdown(tmp_path, red)
    assert "- <code>kubeproof shell m-k8s</code> opens a root shell on that machine then" in text
    assert "- <code>kubectl get --raw=/readyz</code> is the last command that ran there" in text


def test_an_existing_cluster_is_entered_with_its_own_ssh_config(tmp_path: Path) -> None:
    """Kubeproof can neither keep nor enter it."""
    store.append(tmp_path, sample_runs.RUN.model_copy(update={"provider": "existing"}))
    store.append(tmp_path, result(outcome="failed"))
    text = report.write(tmp_path).with_name("report.md").read_text()
    assert "<code>ssh w1-k8s</code>" in text
    assert "--keep-cluster" not in text


def test_a_long_message_keeps_its_end(tmp_path: Path) -> None:
    """There a command says why it failed."""
    text = markdown(tmp_path, result(outcome="failed", message="vagrant up failed\n" + "line\n" * 1_000 + "the reason"))
    assert "vagrant up failed" in text
    assert "the reason\n```" in text


def test_a_format_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module beside the others is found and written without another entry."""
    (tmp_path / "plain.py").write_text(
        'FILE = "report.txt"\n\n\ndef render(run, folder):\n    return f"{run.verdict} in {folder.name}\\n"\n'
    )
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path)])
    folder = report.write(sample_runs.green(tmp_path / "run")).parent
    assert (folder / "report.txt").read_text() == "PROVED: all 46 checks passed in run\n"
    assert {file.name for file in folder.glob("*.*")} >= {"report.html", "report.md", "junit.xml", "results.json"}


def test_the_report_of_a_run_of_version_1_is_complete(tmp_path: Path) -> None:
    """In every format, and without a change to the run's own file."""
    folder = sample_runs.of_version_1(tmp_path / "run")
    html = report.write(folder).read_text()
    assert "1 of 3 checks failed, 1 could not be judged." in html
    assert "| ✘ | swap_is_off | w2-k8s |" in (folder / "report.md").read_text()
    assert [case.tag for case in junit(folder).iter() if case.tag in {"failure", "error"}] == ["failure", "error"]
    content = json.loads((folder / "results.json").read_text())
    assert (content["schema_version"], content["run"]["schema_version"]) == (model.SCHEMA_VERSION, 1)
    assert (folder / "results.jsonl").read_bytes() == (sample_runs.VERSION_1 / "results.jsonl").read_bytes()


def test_no_two_formats_write_the_same_file() -> None:
    """Nor does one write the record that all are made of."""
    names = [import_module(f"{formats.__name__}.{found.name}").FILE for found in iter_modules(formats.__path__)]
    assert sorted({*names} - {store.FILE}) == sorted(names)
