"""report.html: one file that needs nothing else, for a screen of any width and for paper."""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from kubeproof.report import experiments, matrix, steps, topology
from kubeproof.report.wording import OUTCOMES, duration, hint, moment, owed
from kubeproof.results.document import Document
from kubeproof.results.model import Result
from kubeproof.results.redaction import redact

OF_A_FIELD = 8_000  # characters of one value or message
OF_A_FILE = 60_000  # characters of one file of evidence
OF_ALL_FILES = 1_000_000
OPEN = 3  # steps of which a failure is unfolded at first
LISTED = 10  # failures of a step that are listed at first

TEMPLATES = Environment(
    loader=PackageLoader("kubeproof.report"),
    autoescape=select_autoescape(["html", "svg"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _breakable(name: str) -> Markup:
    """A check's name, which a narrow column may break after an underscore."""
    return Markup("_<wbr>").join(name.split("_"))


TEMPLATES.filters["breakable"] = _breakable


@dataclass(frozen=True)
class Evidence:
    """A file that was kept of a failure; `text` is without its middle where it is long."""

    name: str
    anchor: str
    text: str


def write(folder: Path, run: Document) -> Path:
    """Make report.html in the run's folder and return its path."""
    script = _asset("page.js")
    anchors = {id(result): f"failure-{number}" for number, result in enumerate(run.wrong, start=1)}
    page = TEMPLATES.get_template("page.html").render(
        run=run,
        style=_asset("page.css"),
        script=script,
        # Only this very script may run, whatever a machine said; the page may ask the network for nothing.
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        topology=topology.draw(run),
        bring_up=steps.draw(run.steps),
        experiments=[experiments.draw(timeline) for timeline in run.timelines],
        components=matrix.components(run),
        nodes=_nodes(run),
        blamed=_blamed(run),
        evidence=_evidence(folder, run),
        opened=OPEN,
        listed=LISTED,
        anchor=lambda result: anchors[id(result)],
        duration=duration,
        owed=lambda result: owed(result, run.run),
        hint=lambda result: hint(result, run.run),
        moment=lambda result: moment(result, run),
        outcomes=OUTCOMES,
        bounded=lambda text: _bounded(text, OF_A_FIELD),
    )
    file = folder / "report.html"
    file.write_text(page)
    return file


def _asset(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text()


def _nodes(run: Document) -> list[str]:
    """The nodes of the spec, and after them any that a check alone names."""
    named = [machine.name for machine in run.run.machines]
    return [*named, *sorted({result.node for result in run.results if result.node} - set(named))]


def _blamed(run: Document) -> list[tuple[str, list[Result]]]:
    """What is wrong by the step that owes it, the step that owes most first; last, what could not be judged."""
    groups: dict[str, list[Result]] = {}
    for result in run.wrong:
        groups.setdefault(owed(result, run.run), []).append(result)
    return sorted(groups.items(), key=lambda group: (group[1][0].outcome != "failed", -len(group[1])))


def _evidence(folder: Path, run: Document) -> dict[str, Evidence]:
    """The files that failures name, by that name, as long as all of them together are not too long."""
    kept: dict[str, Evidence] = {}
    left = OF_ALL_FILES
    for name in dict.fromkeys(result.evidence for result in run.wrong if result.evidence):
        text = _bounded(_text(folder, name), min(OF_A_FILE, left))
        left = max(0, left - len(text))
        kept[name] = Evidence(name, f"evidence-{len(kept) + 1}", text)
    return kept


def _text(folder: Path, name: str) -> str:
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        return f"{name} is not in the run's folder"
    try:
        return redact(file.read_text(errors="replace"))
    except OSError as error:
        return f"{name} can't be read: {error.strerror}"


def _bounded(text: str, longest: int) -> str:
    """`text` without its middle where it has more than `longest` characters: both ends tell most."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}\n[ {len(text) - 2 * half:,} characters are left out here ]\n{text[len(text) - half :]}"
