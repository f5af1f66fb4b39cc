"""report.html, for people: one file without references, for a screen of any width and for paper."""

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from kubeproof.report import experiments, matrix, steps, topology
from kubeproof.report.wording import OUTCOMES, capitalized, duration, hints, history, responsible
from kubeproof.results.document import Document
from kubeproof.results.model import Result
from kubeproof.results.redaction import redact

FILE = "report.html"
OF_A_FIELD = 8_000  # characters of one value or message
OF_A_FILE = 60_000  # characters of one evidence file
OF_ALL_FILES = 1_000_000
OPEN = 3  # steps whose first failure is unfolded
LISTED = 10  # failures of a step before the rest is folded

TEMPLATES = Environment(
    loader=PackageLoader("kubeproof.report"),
    autoescape=select_autoescape(["html", "svg"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# A narrow column may break a check's name after an underscore.
TEMPLATES.filters["breakable"] = lambda name: Markup("_<wbr>").join(name.split("_"))
TEMPLATES.filters["capitalized"] = capitalized
TEMPLATES.globals.update(opened=OPEN, listed=LISTED, duration=duration, outcomes=OUTCOMES)


@dataclass(frozen=True)
class Evidence:
    """A file of evidence; the middle of a long `text` is left out."""

    name: str
    anchor: str
    text: str


def render(run: Document, folder: Path) -> str:
    """The page, with style, script and evidence inside it."""
    script = _asset("page.js")
    anchors = {id(result): f"failure-{number}" for number, result in enumerate(run.wrong, start=1)}
    return TEMPLATES.get_template("page.html").render(
        run=run,
        style=_asset("page.css"),
        script=script,
        # Only this script may run, whatever markup a machine prints; the page may make no request.
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        topology=topology.draw(run),
        bring_up=steps.draw(run.steps),
        experiments=[experiments.draw(timeline) for timeline in run.timelines],
        components=matrix.components(run),
        nodes=_nodes(run),
        blamed=_blamed(run),
        evidence=_evidence(folder, run),
        anchor=lambda result: anchors[id(result)],
        hints=lambda result: hints(result, run.run),
        history=lambda result: history(result, run),
        bounded=lambda text: _bounded(text, OF_A_FIELD),
    )


def _asset(name: str) -> str:
    return resources.files("kubeproof.report").joinpath("templates", name).read_text()


def _nodes(run: Document) -> list[str]:
    """The nodes of the spec, then any others that results name."""
    names = [machine.name for machine in run.run.machines]
    return [*names, *sorted({result.node for result in run.results if result.node} - set(names))]


def _blamed(run: Document) -> list[tuple[str, list[Result]]]:
    """The wrong results by responsible step, the step with the most first; last, those that could not be judged."""
    groups: dict[str, list[Result]] = {}
    for result in run.wrong:
        groups.setdefault(responsible(result, run.run), []).append(result)
    return sorted(groups.items(), key=lambda group: (group[1][0].outcome != "failed", -len(group[1])))


def _evidence(folder: Path, run: Document) -> dict[str, Evidence]:
    """The evidence files of the wrong results by name, within the bounds of one file and of all."""
    files: dict[str, Evidence] = {}
    left = OF_ALL_FILES
    for name in dict.fromkeys(result.evidence for result in run.wrong if result.evidence):
        text = _bounded(_text(folder, name), min(OF_A_FILE, left))
        left = max(0, left - len(text))
        files[name] = Evidence(name, f"evidence-{len(files) + 1}", text)
    return files


def _text(folder: Path, name: str) -> str:
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        return f"{name} is not in the run's folder"
    try:
        return redact(file.read_text(errors="replace"))
    except OSError as error:
        return f"{name} can't be read: {error.strerror}"


def _bounded(text: str, longest: int) -> str:
    """`text` with its middle left out if it has more than `longest` characters: both ends say most."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}\n[ {len(text) - 2 * half:,} characters are left out here ]\n{text[len(text) - half :]}"
