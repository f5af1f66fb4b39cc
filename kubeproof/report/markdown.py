"""report.md: what a pull request is told, the failures first, and short enough for its comment."""

import html
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, groupby
from pathlib import Path

from kubeproof.report.wording import MARKS, duration, hint, moment, owed
from kubeproof.results.document import Document
from kubeproof.results.model import Result

# GitHub takes 65,536 characters in a comment: with these bounds the longest report has less.
IN_TABLE = 50  # failures that have a line
IN_FULL = 12  # failures that are told with their message
STEPS = 20
OF_A_CELL = 100  # characters
OF_A_LINE = 300
OF_A_MESSAGE = 1500
# What GitHub would take for markup; an underscore inside a word is none.
MARKUP = re.compile(r"[\\|`*]|(?<=\])\(|(?<!\w)_|_(?!\w)")


def write(folder: Path, run: Document) -> Path:
    """Make report.md in the run's folder and return its path."""
    file = folder / "report.md"
    file.write_text("\n".join(_report(run)) + "\n")
    return file


def _report(run: Document) -> Iterable[str]:
    yield f"# {MARKS['passed'] if run.proved else MARKS['failed']} {run.run.cluster}: {run.verdict}"
    yield ""
    versions = ", ".join(f"{name} v{version}" for name, version in run.run.versions.items())
    yield f"{versions}, provider {run.run.provider}, spec `{run.run.spec}`"
    yield f"judged from {run.run.started:%Y-%m-%d %H:%M:%S} UTC, in {duration(run.seconds)}"
    if run.wrong:
        yield from _failures(run)
    yield from _machines(run)
    yield from _reasons(
        "Accepted risks",
        {name: f"{risk.reason} (until {risk.until})" for name, risk in run.run.accepted_risks.items()},
    )
    yield from _reasons("Not applicable to these machines", run.run.not_applicable)
    yield from _reasons("Not judged, for want of what the spec does not state", run.run.not_judged)
    yield from ["", "The whole report, with evidence: report.html, beside this file."]


def _failures(run: Document) -> Iterable[str]:
    shown = run.wrong[:IN_TABLE]
    rows = [
        [
            MARKS[one.outcome],
            _text(one.check),
            one.node,
            _code(one.expected) or _text(one.promise),
            _seen(one),
            _text(owed(one, run.run)),
        ]
        for one in shown
    ]
    yield from ["", "## What is wrong", "", *_table(["", "check", "node", "expected", "seen", "responsible"], rows)]
    yield from _rest(run.wrong, IN_TABLE)
    counted = Counter(owed(one, run.run) for one in run.wrong if one.outcome == "failed").most_common()
    if len(counted) > 1:
        rows = [[_text(step), str(count)] for step, count in counted[:STEPS]]
        yield from ["", "## Responsible steps", "", *_table(["step", "checks"], rows)]
    yield from ["", "<details><summary>What each of them said</summary>", ""]
    for one in run.wrong[:IN_FULL]:
        yield from _told(one, run)
    yield from _rest(run.wrong, IN_FULL)
    yield "</details>"


def _told(result: Result, run: Document) -> Iterable[str]:
    yield from [f"### {MARKS[result.outcome]} {_text(result.name)}", ""]
    if result.promise:
        yield _text(result.promise, OF_A_LINE)
    yield f"{moment(result, run)}."
    if result.evidence:
        yield f"Evidence: {result.evidence}."
    yield from ["", "To look further:", ""]
    yield from [f"- {_code(command, OF_A_LINE)} {does}" for command, does in hint(result, run.run).items()]
    # A message says first what is wrong, and what a command said last tells why.
    half, backwards = OF_A_MESSAGE // 2, result.message[::-1]
    message = _cut(result.message, OF_A_MESSAGE)
    if message != result.message:
        message = f"{_cut(result.message, half)}\n{_cut(backwards, half)[::-1]}"
    if message:
        # A fence is longer than any in what it holds.
        fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", message)), 0)
        yield from ["", fence, *message.splitlines(), fence]
    yield ""


def _rest(wrong: Sequence[Result], shown: int) -> Iterable[str]:
    if len(wrong) > shown:
        yield from ["", f"And {len(wrong) - shown} more: see report.html."]


def _machines(run: Document) -> Iterable[str]:
    """A table of nodes by checks, folded."""
    of_nodes = sorted((result for result in run.results if result.node), key=lambda result: result.check)
    nodes = sorted({result.node for result in of_nodes})
    if not nodes:
        return
    rows = []
    for check, group in groupby(of_nodes, key=lambda result: result.check):
        marks = {result.node: MARKS[result.outcome] for result in group}
        if set(marks.values()) != {MARKS["passed"]}:
            rows.append([_text(check), *(marks.get(node, "") for node in nodes)])
    passed = len({result.check for result in of_nodes}) - len(rows)
    if rows:
        yield from ["", "## Machines", "", *_table(["check", *nodes], rows[:IN_TABLE])]
        yield from ["", f"{passed} other checks of machines passed wherever they were made."]


def _reasons(title: str, reasons: Mapping[str, str]) -> Iterable[str]:
    if reasons:
        rows = [[_text(check), _text(reason, OF_A_MESSAGE)] for check, reason in reasons.items()]
        yield from ["", f"## {title}", "", *_table(["check", "why"], rows)]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    yield from [f"| {' | '.join(row)} |" for row in rows]


def _cut(text: str, longest: int) -> str:
    """The start of `text` that is no longer than that once it is written so that nothing in it is markup."""
    lengths = accumulate(len("&#124;") if one in "<>&|" else 2 if one in "\\`*_(" else 1 for one in text[:longest])
    fitting = sum(length <= longest for length in lengths)
    return text if fitting == len(text) else f"{text[:fitting]} …"


def _text(text: str, longest: int = OF_A_CELL) -> str:
    """Text as it is, in a cell or a line: nothing in it is markup."""
    plain = html.escape(" ".join(_cut(text, longest).split()), quote=False)
    return MARKUP.sub(r"\\\g<0>", plain)


def _seen(result: Result) -> str:
    return _code(result.seen) or _text((result.message.splitlines() or [""])[0])


def _code(text: str, longest: int = OF_A_CELL) -> str:
    """A value in a cell: a pipe would end it, and backticks can't hold a backtick."""
    cut = html.escape(" ".join(_cut(text, longest).split()), quote=False)
    return f"<code>{cut.replace('|', '&#124;')}</code>" if cut else ""
