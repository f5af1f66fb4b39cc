"""The run's results as people and CI systems read them: report.html, report.md, junit.xml and results.json.

All are made of what the run's folder holds, also of a killed run's: `kubeproof report FOLDER`.
"""

from pathlib import Path

from kubeproof.report import junit, markdown, page
from kubeproof.results import document


def write(folder: Path) -> Path:
    """Make the four reports in the run's folder, and return report.html's path.

    Raises results.Unreadable where the folder has no results.
    """
    run = document.read(folder)
    document.write(folder, run)
    junit.write(folder, run)
    markdown.write(folder, run)
    return page.write(folder, run)


def verdict(folder: Path) -> str:
    """One line: what was proved and what not.

    Raises results.Unreadable where the folder has no results.
    """
    return document.read(folder).verdict
