"""report.md and junit.xml, made of results.jsonl alone; also of a killed run's: `python -m kubeproof.report FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from kubeproof import junit, results
from kubeproof.results import Result, Run

MARKS = {"passed": "✔", "failed": "✘", "error": "!"}


def write(folder: Path) -> Path:
    """Make report.md and junit.xml in the run's folder, and return the first's path."""
    run, judged = results.read(folder)
    junit.write(folder, run, judged)
    report = folder / "report.md"
    report.write_text("\n".join(_report(run, judged, verdict(folder))) + "\n")
    return report


def verdict(folder: Path) -> str:
    """One line: what was proved and what not; a run that did not come to its end, or judged nothing, proves nothing."""
    outcomes = [result.outcome for result in results.read(folder)[1]]
    red, unknown = outcomes.count("failed"), outcomes.count("error")
    if red or unknown:
        return f"NOT PROVED: {red} of {len(outcomes)} checks failed, {unknown} could not be judged"
    if not outcomes or not results.is_complete(folder):
        return f"NOT PROVED: the run ended early; the {len(outcomes)} checks that it judged passed"
    return f"PROVED: all {len(outcomes)} checks passed"


def _report(run: Run, judged: list[Result], line: str) -> Iterable[str]:
    yield f"# {run.cluster}: {line}"
    yield ""
    release = f"Kubernetes v{run.kubernetes}" if run.kubernetes else "a release that the spec does not state"
    yield f"- {release}, provider {run.provider}, spec `{run.spec}`"
    yield f"- judged from {run.started:%Y-%m-%d %H:%M:%S} UTC"
    yield f"- {sum(result.seconds for result in judged):.0f} s of checking, on all workers together"
    wrong = [result for result in judged if result.outcome != "passed"]
    if wrong:
        yield from _blame(wrong)
        yield from ["", "## What is wrong", ""]
        for result in wrong:
            yield from _failure(result)
    yield from _matrix(judged)
    yield from _cluster_wide(judged)
    yield from _reasons("Accepted risks", run.accepted_risks)
    yield from _reasons("Not applicable to these machines", run.not_applicable)
    yield from _reasons("Not judged", run.not_judged)


def _blame(wrong: list[Result]) -> Iterable[str]:
    """The steps that owed what is wrong, by how much of it they owe."""
    owed = [f"{result.script}: {result.step}" if result.step else "unknown step" for result in wrong]
    yield from ["", "## Responsible steps", "", "| step | checks |", "| --- | --- |"]
    for step in sorted(set(owed), key=lambda step: (-owed.count(step), step)):
        yield f"| {step} | {owed.count(step)} |"


def _failure(result: Result) -> Iterable[str]:
    where = f" on {result.node}" if result.node else ""
    yield f"### {MARKS[result.outcome]} {result.check}{where}"
    yield ""
    rows = {
        "promise": result.promise,
        "expected": _code(result.expected),
        "seen": _code(result.seen),
        "since": f"{result.started:%H:%M:%S} UTC, when it was looked at",
        "step": f"`{result.script}`, step `{result.step}`" if result.step else "unknown step",
        "evidence": f"[{result.evidence}]({result.evidence})" if result.evidence else "",
    }
    yield from [f"- {key}: {value}" for key, value in rows.items() if value]
    if result.message:
        yield from ["", "```", *result.message.splitlines(), "```"]
    yield ""


def _matrix(judged: list[Result]) -> Iterable[str]:
    """A table of nodes by checks."""
    of_nodes = [result for result in judged if result.node]
    nodes = sorted({result.node for result in of_nodes})
    if not nodes:
        return
    yield from ["", "## Machines", "", f"| check | {' | '.join(nodes)} |", f"| --- |{' --- |' * len(nodes)}"]
    by_check = sorted(of_nodes, key=lambda result: result.check)
    for check, group in groupby(by_check, key=lambda result: result.check):
        marks = {result.node: MARKS[result.outcome] for result in group}
        yield f"| {check} | {' | '.join(marks.get(node, '') for node in nodes)} |"


def _cluster_wide(judged: list[Result]) -> Iterable[str]:
    of_cluster = [result for result in judged if not result.node]
    if not of_cluster:
        return
    yield from ["", "## Cluster and components", "", "| | check | promise |", "| --- | --- | --- |"]
    for result in of_cluster:
        yield f"| {MARKS[result.outcome]} | {result.check} | {result.promise} |"


def _reasons(title: str, reasons: dict[str, str]) -> Iterable[str]:
    if reasons:
        yield from ["", f"## {title}", "", "| check | why |", "| --- | --- |"]
        yield from [f"| {check} | {reason} |" for check, reason in reasons.items()]


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    write(Path(sys.argv[1]))
