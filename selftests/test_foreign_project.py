"""The tests of another project run as if kubeproof was not installed, until that project asks for it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kubeproof.process import paths

# It has fixtures, an option and a mark that kubeproof has as well, and notes everything that a plugin can change.
CONFTEST = """
    import gc, json, signal, sys
    import pytest

    def pytest_addoption(parser):
        parser.addoption("--cluster", default="none")

    @pytest.fixture
    def cluster(request): return request.config.getoption("cluster")

    @pytest.fixture(params=["left", "right"])
    def node(request): return request.param

    def pytest_collection_finish(session):
        config = session.config
        if hasattr(config, "workerinput"):
            return
        noted = {
            "order": [item.nodeid for item in session.items],
            "signals": [repr(signal.getsignal(one)) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
            "garbage collector": [gc.isenabled(), gc.get_freeze_count()],
            "options": sorted(vars(config.option)),
            "marks": sorted(line.partition(":")[0] for line in config.getini("markers")),
            "workers": config.hook.pytest_xdist_auto_num_workers(config=config),
            "modules": sorted(name for name in sys.modules if name.startswith("kubeproof.spec")),
        }
        with open("noted.json", "w") as file:
            json.dump(noted, file)
"""
TESTS = """
    import pytest

    def test_first(cluster): assert cluster in ("none", "theirs")

    class TestLater:
        def test_second(self, node): assert node in ("left", "right")
        def test_third(self, node, cluster): assert node and cluster

    def test_last(): pass
"""
ABSENT = ("-p", "no:kubeproof")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with tests of its own, outside of this project's root."""
    for name, text in {"conftest.py": CONFTEST, "test_theirs.py": TESTS, "pytest.ini": "[pytest]\n"}.items():
        (tmp_path / name).write_text("\n".join(line.removeprefix("    ") for line in text.splitlines()))
    return tmp_path


def run(project: Path, *arguments: str) -> list[str]:
    """The lines that pytest printed, without times."""
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr
    return [re.sub(r" in [\d.]+s", "", line) for line in done.stdout.splitlines()]


def noted(project: Path) -> dict[str, Any]:
    """What its conftest.py noted of the run before."""
    found: dict[str, Any] = json.loads((project / "noted.json").read_text())
    return found


@pytest.mark.parametrize("arguments", [(), ("--cluster=theirs",), ("-k", "second")], ids=" ".join)
def test_it_runs_as_without_kubeproof(project: Path, arguments: tuple[str, ...]) -> None:
    """The same order, signals, garbage collector, options, marks and workers; kubeproof's spec is never loaded."""
    asleep = [line for line in run(project, *arguments) if "PASSED" in line], noted(project)
    absent = [line for line in run(project, *ABSENT, *arguments) if "PASSED" in line], noted(project)
    assert asleep == absent
    assert asleep[0]


def test_its_workers_are_as_many_as_without_kubeproof(project: Path) -> None:
    """One for each core, by xdist's own count."""
    asleep, absent = run(project, "-n", "auto"), run(project, *ABSENT, "-n", "auto")
    assert [line for line in asleep if "workers" in line] == [line for line in absent if "workers" in line]


@pytest.mark.parametrize(
    ("files", "arguments"),
    [
        ({"conftest.py": 'pytest_plugins = ["kubeproof.pytest_plugin"]'}, ()),
        ({"pytest.ini": f"[pytest]\nkubeproof_cluster = {paths.DEFAULT_SPEC}\n"}, ()),
        ({}, (f"--kubeproof-cluster={paths.DEFAULT_SPEC}",)),
        ({}, (f"--cluster={paths.DEFAULT_SPEC}",)),
    ],
    ids=["conftest", "configuration", "option", "short option"],
)
def test_it_wakes_kubeproof(tmp_path: Path, files: dict[str, str], arguments: tuple[str, ...]) -> None:
    """By its conftest.py, its configuration or its command line."""
    (tmp_path / "test_ours.py").write_text("def test_hosts(cluster, node): pass")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "test_ours.py::test_hosts[m-k8s]" in done.stdout.splitlines(), done.stdout + done.stderr


def test_a_short_option_of_another_plugin_stays_its_own(project: Path) -> None:
    """An awake kubeproof takes its long name then."""
    (project / "test_theirs.py").write_text(
        "def test_named(request): assert request.config.getoption('cluster') == 'x'"
    )
    assert any("PASSED" in line for line in run(project, f"--kubeproof-cluster={paths.DEFAULT_SPEC}", "--cluster=x"))
    assert {"cluster", "kubeproof_cluster"} <= {*noted(project)["options"]}


def test_a_fixture_of_the_project_stays_its_own(project: Path) -> None:
    """A test that asks for it is no check, and needs no cluster; kubeproof's own has the prefix."""
    (project / "test_theirs.py").write_text(
        "def test_named(cluster, kubeproof_spec): assert (cluster, kubeproof_spec.name) == ('x', 'k8s')"
    )
    lines = run(project, f"--kubeproof-cluster={paths.DEFAULT_SPEC}", "--cluster=x")
    assert [line for line in lines if "PASSED" in line]
