"""Reports of a run for people and CI systems, made of the files in the run's folder, also after a killed run.

This room never knows how a cluster is brought up or how a check runs: it reads results alone.
"""

import importlib
import pkgutil
from pathlib import Path

from kubeproof.report import formats
from kubeproof.results import document


def write(folder: Path) -> Path:
    """Write the run's report in every format of formats/ into its folder, and return the path of report.html.

    Raises store.Unreadable if the folder has no results.
    """
    run = document.read(folder)
    files: dict[str, Path] = {}
    for found in pkgutil.iter_modules(formats.__path__):
        module = importlib.import_module(f"{formats.__name__}.{found.name}")
        files[found.name] = folder / module.FILE
        files[found.name].write_text(module.render(run, folder), encoding="utf-8")
    return files["html"]


def verdict(folder: Path) -> str:
    """The verdict of the run in one line; raises store.Unreadable if the folder has no results."""
    return document.read(folder).verdict
