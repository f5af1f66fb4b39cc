"""The rooms of the house: their directions, their size, and the page that describes them."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from kubeproof.process import paths

PACKAGE, TESTS = paths.CHECKOUT / "kubeproof", paths.CHECKOUT / "tests"
PAGE = (paths.CHECKOUT / "docs" / "architecture.md").read_text()
ROOMS = {path.stem for path in PACKAGE.iterdir() if (path / "__init__.py").exists()} | {"checks"}
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 350, 45  # lines


@pytest.fixture(scope="module")
def imports() -> set[tuple[str, str]]:
    """Which room imports which, TYPE_CHECKING included."""
    graph = grimp.build_graph("kubeproof", cache_dir=None)
    pairs = {
        (module.split(".")[1], imported.split(".")[1])
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
        if module.count(".") and imported.count(".")
    }
    return {(one, other) for one, other in pairs if one not in (other, "__main__")}


@pytest.fixture(scope="module")
def arrows() -> set[tuple[str, str]]:
    """The arrows of the page's picture."""
    lines = re.findall(r"^ +(\w+) --> ([\w& ]+)$", PAGE, re.MULTILINE)
    return {(room, below) for room, belows in lines for below in belows.split(" & ")}


def below(room: str, arrows: set[tuple[str, str]]) -> set[str]:
    """The rooms that a way of arrows leads to."""
    direct = {target for source, target in arrows if source == room}
    return direct.union(*(below(target, arrows) for target in direct))


def test_the_page_has_every_room() -> None:
    """The table has each room, and no other."""
    assert {*re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)} == ROOMS


def test_every_arrow_of_the_picture_is_an_import(arrows: set[tuple[str, str]], imports: set[tuple[str, str]]) -> None:
    """The picture shows no arrow that the code does not have."""
    assert arrows - imports == set()


def test_every_import_follows_arrows_of_the_picture(
    arrows: set[tuple[str, str]], imports: set[tuple[str, str]]
) -> None:
    """Directly, or through the rooms in between."""
    assert {(room, other) for room, other in imports if other not in below(room, arrows)} == set()


@pytest.mark.parametrize(
    "path", sorted({*re.findall(r"`((?:kubeproof|tests|selftests|provision|lab)/[\w./-]*)`", PAGE)})
)
def test_the_page_names_what_is_there(path: str) -> None:
    """Each file and folder on the page exists."""
    assert (paths.CHECKOUT / path).exists()


@pytest.mark.parametrize("room", sorted(ROOMS - {"checks"}))
def test_a_room_says_what_it_is_for_and_never_knows(room: str) -> None:
    """The docstring says both."""
    assert "never knows" in (ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text())) or "")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_is_a_big_room(module: Path) -> None:
    """No function is too long either."""
    text = module.read_text()
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert len(text.splitlines()) <= LONGEST_MODULE
    assert {one.name for one in functions if (one.end_lineno or 0) - one.lineno + 1 > LONGEST_FUNCTION} == set()


@pytest.mark.parametrize("file", sorted(TESTS.rglob("*.py")), ids=lambda path: path.stem)
def test_checks_import_the_public_module_alone(file: Path) -> None:
    """So a team's own checks can do all that ours do."""
    statements = [
        node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    names = {
        name
        for node in statements
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert {name for name in names if name.partition(".")[0] == "kubeproof"} <= {"kubeproof.checks"}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Hold the contracts against the package in that folder."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("process/paths.py", "from kubeproof.spec import Spec"),
        ("spec/model.py", "import kubeproof.access.api"),
        ("results/store.py", "import kubeproof.report"),
        ("report/wording.py", "import kubeproof.bring_up.lifecycle"),
        ("report/wording.py", "import kubeproof.lab.box"),
        ("experiments/faults.py", "from kubeproof.bring_up import lifecycle"),
        ("lab/box.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from kubeproof.access.api import Api"),
        ("lab/box.py", "import kubeproof.bring_up.hosting"),
        ("pytest_plugin/schedule.py", "import kubeproof.pytest_plugin.scheduler"),
        ("new_room.py", "import kubeproof.spec"),
    ],
)
def test_an_import_against_the_contracts_is_refused(tmp_path: Path, module: str, line: str) -> None:
    """Also one for types alone, a circle inside a room, and a room that no contract has."""
    shutil.copytree(PACKAGE, tmp_path / "kubeproof", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(paths.CHECKOUT / "pyproject.toml", tmp_path)
    assert lint(tmp_path).returncode == 0
    with (tmp_path / "kubeproof" / module).open("a") as file:
        file.write(f"\n{line}\n")
    assert lint(tmp_path).returncode == 1
