"""The verdict: results as they come, a report of them, and nothing secret in it."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from junitparser.xunit2 import JUnitXml

from kubeproof import report, results
from kubeproof.evidence import redact

NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
RUN = results.Run(
    cluster="k8s",
    spec=Path("default.yaml"),
    kubernetes="1.36.3",
    provider="docker",
    started=NOON,
    not_applicable={"selinux_is_permissive": "no SELinux here"},
    accepted_risks={"token_expires": "a lab (until 2027-12-31)"},
)


def result(**known: Any) -> results.Result:
    """A passed check of w1-k8s, but for what is given."""
    whole = {
        "check": "swap_is_off",
        "nodeid": "x",
        "outcome": "passed",
        "started": NOON,
        "seconds": 1,
        "node": "w1-k8s",
    }
    return results.Result(**{**whole, **known})


def reported(folder: Path, *judged: results.Result, ended: bool = True) -> str:
    """The report of a run with those results."""
    results.append(folder, RUN)
    for one in judged:
        results.append(folder, one)
    if ended:
        results.append(folder, results.End())
    return report.write(folder).read_text()


def test_green_is_said_in_the_first_line(tmp_path: Path) -> None:
    """With how much was looked at."""
    assert reported(tmp_path, result(), result(node="w2-k8s")).startswith("# k8s: PROVED: all 2 checks passed\n")


@pytest.mark.parametrize("judged", [[], [result()]])
def test_a_run_that_ended_early_proves_nothing(tmp_path: Path, judged: list[results.Result]) -> None:
    """However green what it saw was."""
    text = reported(tmp_path, *judged, ended=False)
    assert text.startswith(f"# k8s: NOT PROVED: the run ended early; the {len(judged)} checks that it judged passed")


def test_a_run_that_judged_nothing_proves_nothing(tmp_path: Path) -> None:
    """An empty selection is not green."""
    assert "NOT PROVED" in reported(tmp_path).splitlines()[0]


def test_red_names_check_node_step_expected_and_seen(tmp_path: Path) -> None:
    """Everything that a person asks next."""
    red = result(outcome="failed", script="config.sh", step="swap-off", expected="[]", seen="['/dev/sda2']")
    text = reported(tmp_path, result(), red)
    assert text.startswith("# k8s: NOT PROVED: 1 of 2 checks failed, 0 could not be judged\n")
    for part in ("swap_is_off on w1-k8s", "`config.sh`, step `swap-off`", "expected: `[]`", "seen: `['/dev/sda2']`"):
        assert part in text


def test_what_could_not_be_judged_is_no_failure(tmp_path: Path) -> None:
    """But it is not proved either."""
    text = reported(tmp_path, result(outcome="error"))
    assert text.startswith("# k8s: NOT PROVED: 0 of 1 checks failed, 1 could not be judged\n")


def test_the_matrix_has_a_column_for_each_node(tmp_path: Path) -> None:
    """Checks down, nodes across."""
    text = reported(tmp_path, result(), result(node="w2-k8s", outcome="failed"))
    assert "| check | w1-k8s | w2-k8s |" in text
    assert "| swap_is_off | ✔ | ✘ |" in text


def test_risks_and_what_does_not_apply_are_in_every_report(tmp_path: Path) -> None:
    """A green report does not hide them."""
    text = reported(tmp_path, result())
    assert "| token_expires | a lab (until 2027-12-31) |" in text
    assert "| selinux_is_permissive | no SELinux here |" in text


def test_junit_has_properties_and_tells_failure_from_error(tmp_path: Path) -> None:
    """As CI systems read it."""
    reported(tmp_path, result(script="config.sh", step="hosts"), result(outcome="failed"), result(outcome="error"))
    suite = next(iter(JUnitXml.fromfile(str(tmp_path / "junit.xml"))))
    assert (suite.tests, suite.failures, suite.errors) == (3, 1, 1)
    text = (tmp_path / "junit.xml").read_text()
    for kept in ('name="node" value="w1-k8s"', 'name="script" value="config.sh"', 'name="step" value="hosts"'):
        assert f"<property {kept}/>" in text


def test_a_killed_run_keeps_what_it_saw(tmp_path: Path) -> None:
    """A line half written is passed over."""
    reported(tmp_path, result())
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('{"check": "half')
    assert [one.check for one in results.read(tmp_path)[1]] == ["swap_is_off"]


@pytest.mark.parametrize(
    "secret",
    [
        "123456.1234567890123456",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_nothing_secret_is_kept(secret: str) -> None:
    """Tokens and keys."""
    assert redact(f"before {secret} after") == "before <redacted> after"
