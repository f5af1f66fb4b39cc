"""results.json: the document as it is, for programs."""

from pathlib import Path

from kubeproof.results.document import Document

FILE = "results.json"


def render(run: Document, _folder: Path) -> str:
    """The document as JSON, which docs/results.schema.json describes."""
    return run.model_dump_json(indent=1) + "\n"
