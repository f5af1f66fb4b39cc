"""report.md, for the comment on a pull request: failures first, and never longer than GitHub accepts."""

import html
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, groupby
from pathlib import Path

from kubeproof.report.wording import MARKS, duration, hints, history, responsible
from kubeproof.results.document import Document
from kubeproof.results.model import Result

FILE = "report.md"
# GitHub accepts 65,536 characters in a comment: with these bounds the longest report has fewer.
IN_TABLE = 50  # failures that have a line
IN_FULL = 12  # failures that have their message
STEPS = 20
OF_A_CELL = 100  # characters
OF_A_LINE = 300
OF_A_MESSAGE = 1500
# Characters that GitHub takes for markup; an underscore inside a word is none.
MARKUP = re.compile(r"[\\|`*]|(?<=\])\(|(?<!\w)_|_(?!\w)")


def render(run: Document, _folder: Path) -> str:
    """The report as GitHub's Markdown."""
    return "\n".join(_report(run)) + "\n"


def _report(run: Document) -> Iterable[str]:
    yield f"# {MARKS['passed'] if run.proved else MARKS['failed']} {run.run.cluster}: {run.verdict}"
    yield ""
    versions = ", ".join(f"{name} v{version}" for name, version in run.run.versions.items())
    yield f"{versions}, provider {run.run.provider}, spec `{run.run.spec}`"
    yield f"judged from {run.run.started:%Y-%m-%d %H:%M:%S} UTC, in {duration(run.seconds)}"
    if run.wrong:
        yield from _failures(run)
    yield from _machines(run)
    risks = {check: f"{risk.reason} (until {risk.until})" for check, risk in run.run.accepted_risks.items()}
    yield from _reasons("Accepted risks", risks)
    yield from _reasons("Not applicable to these machines", run.run.not_applicable)
    yield from _reasons("Not judged: the spec does not state a value that the check needs", run.run.not_judged)
    yield from ["", "The whole report, with evidence: report.html, beside this file."]


def _failures(run: Document) -> Iterable[str]:
    head = ["", "check", "node", "expected", "seen", "responsible"]
    rows = [
        [
            MARKS[result.outcome],
            _text(result.check),
            result.node,
            _code(result.expected) or _text(result.promise),
            _code(result.seen) or _text((result.message.splitlines() or [""])[0]),
            _text(responsible(result, run.run)),
        ]
        for result in run.wrong[:IN_TABLE]
    ]
    yield from ["", "## What is wrong", "", *_table(head, rows), *_rest(run.wrong, IN_TABLE)]
    counts = Counter(responsible(result, run.run) for result in run.wrong if result.outcome == "failed").most_common()
    if len(counts) > 1:
        rows = [[_text(step), str(count)] for step, count in counts[:STEPS]]
        yield from ["", "## Responsible steps", "", *_table(["step", "checks"], rows)]
    yield from ["", "<details><summary>The message of each failure</summary>", ""]
    for result in run.wrong[:IN_FULL]:
        yield from _failure(result, run)
    yield from _rest(run.wrong, IN_FULL)
    yield "</details>"


def _failure(result: Result, run: Document) -> Iterable[str]:
    yield from [f"### {MARKS[result.outcome]} {_text(result.name)}", ""]
    if result.promise:
        yield _text(result.promise, OF_A_LINE)
    yield f"{history(result, run)}."
    if result.evidence:
        yield f"Evidence: {result.evidence}."
    yield from ["", "To look further:", ""]
    yield from [f"- {_code(command, OF_A_LINE)} {does}" for command, does in hints(result, run.run).items()]
    # The start of a message says what is wrong; its end, the last output of a command, says why.
    half, backwards = OF_A_MESSAGE // 2, result.message[::-1]
    message = _cut(result.message, OF_A_MESSAGE)
    if message != result.message:
        message = f"{_cut(result.message, half)}\n{_cut(backwards, half)[::-1]}"
    if message:
        # A fence must be longer than any inside it.
        fence = "`" * max(3, *(len(ticks) + 1 for ticks in re.findall("`+", message)), 0)
        yield from ["", fence, *message.splitlines(), fence]
    yield ""


def _rest(wrong: Sequence[Result], shown: int) -> Iterable[str]:
    if len(wrong) > shown:
        yield from ["", f"And {len(wrong) - shown} more: see report.html."]


def _machines(run: Document) -> Iterable[str]:
    """A table of nodes by checks, without the checks that passed everywhere."""
    results = sorted((result for result in run.results if result.node), key=lambda result: result.check)
    nodes = sorted({result.node for result in results})
    rows, passed = [], 0
    for check, cases in groupby(results, key=lambda result: result.check):
        marks = {case.node: MARKS[case.outcome] for case in cases}
        if set(marks.values()) == {MARKS["passed"]}:
            passed += 1
        else:
            rows.append([_text(check), *(marks.get(node, "") for node in nodes)])
    if rows:
        yield from ["", "## Machines", "", *_table(["check", *nodes], rows[:IN_TABLE])]
        yield from ["", f"{passed} other checks of machines passed wherever they ran."]


def _reasons(title: str, reasons: Mapping[str, str]) -> Iterable[str]:
    if reasons:
        rows = [[_text(check), _text(reason, OF_A_MESSAGE)] for check, reason in reasons.items()]
        yield from ["", f"## {title}", "", *_table(["check", "why"], rows)]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    yield from [f"| {' | '.join(row)} |" for row in rows]


def _cut(text: str, longest: int) -> str:
    """The start of `text` that has no more than `longest` characters after its markup is escaped."""
    lengths = accumulate(len("&#124;") if one in "<>&|" else 2 if one in "\\`*_(" else 1 for one in text[:longest])
    fitting = sum(length <= longest for length in lengths)
    return text if fitting == len(text) else f"{text[:fitting]} …"


def _text(text: str, longest: int = OF_A_CELL) -> str:
    """Text for a cell or a line, with its markup escaped."""
    plain = html.escape(" ".join(_cut(text, longest).split()), quote=False)
    return MARKUP.sub(r"\\\g<0>", plain)


def _code(text: str, longest: int = OF_A_CELL) -> str:
    """A value for a cell: a pipe would end the cell, and backticks can't contain a backtick."""
    cut = html.escape(" ".join(_cut(text, longest).split()), quote=False)
    return f"<code>{cut.replace('|', '&#124;')}</code>" if cut else ""
