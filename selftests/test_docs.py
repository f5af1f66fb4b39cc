"""The documentation builds without warnings and without the network, and lists every check."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kubeproof.process import paths


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation as `make docs` builds it, in a network namespace without an uplink."""
    folder = tmp_path_factory.mktemp("site")
    strict = ["--quiet", "--fail-on-warning", "--keep-going", "--nitpicky"]
    command = ["unshare", "--net", sys.executable, "-m", "sphinx", *strict, "docs", str(folder)]
    done = subprocess.run(command, cwd=paths.CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


class TestDocs:
    """One class, so that one worker runs all of it and builds the documentation once."""

    def test_every_check_is_in_the_reference(self, site: Path) -> None:
        """Also the checks that the default spec leaves out."""
        page = (site / "checks.html").read_text()
        tests = {
            line.partition("(")[0].removeprefix("def test_")
            for file in (paths.CHECKOUT / "tests").rglob("test_*.py")
            for line in (text.strip() for text in file.read_text().splitlines())
            if line.startswith("def test_")
        }
        assert {name for name in tests if f">{name}<" not in page} == set()

    @pytest.mark.parametrize("page", ["index", "checks", "tutorial"])
    def test_a_page_asks_the_network_for_nothing(self, site: Path, page: str) -> None:
        """No page loads a script, style or picture from another site."""
        html = (site / f"{page}.html").read_text()
        assert re.findall(r'<(?:script|img|iframe|link)\b[^>]* (?:src|href)="(?:https?:)?//[^"]*', html) == []
