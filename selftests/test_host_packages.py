"""Missing packages are installed, or the script says what to do; no package is removed."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kubeproof.process import paths

SCRIPT = paths.RECIPES / "host_packages.sh"


def installed(*before: str) -> subprocess.CompletedProcess[str]:
    """Run the script behind a command that makes the fault."""
    return subprocess.run([*before, str(SCRIPT)], capture_output=True, text=True, check=False)


def test_where_nothing_is_missing_nothing_is_done() -> None:
    """Nor is anything printed."""
    done = installed()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_root_it_says_what_root_is_to_run(
    path_without: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """This machine has no sudo."""
    monkeypatch.setenv("PATH", path_without("vagrant", "git", "sudo"))
    # The user may read this checkout, wherever it is.
    readable = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    done = installed("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *readable)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "kubeproof needs on this machine: git vagrant",
        "Only root may install them, and there is no sudo: as root, run",
        "  apt-get install --no-install-recommends --no-remove git vagrant",
    ]


def test_without_apt_it_says_what_is_needed(path_without: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Another distribution has no apt."""
    monkeypatch.setenv("PATH", path_without("vagrant", "apt-get"))
    done = installed()
    assert (done.returncode, done.stdout) == (1, "")
    assert "kubeproof needs on this machine: vagrant\nThere is no apt-get to install them with" in done.stderr


# A machine with Docker's own containerd.io, and an archive that has Debian's containerd.
CONTAINERD_IO = """\
Package: containerd.io
Status: install ok installed
Version: 1.7.27-1
Architecture: amd64
Maintainer: Docker <docker@example.com>
Conflicts: containerd
Description: Docker's containerd
"""
CONTAINERD = """\
Package: containerd
Version: 1.6.20
Architecture: amd64
Maintainer: Debian <debian@example.com>
Filename: ./containerd.deb
Size: 1000
Description: Debian's containerd
"""


@pytest.fixture
def docker_ce(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration of apt that knows these two packages alone; returns its list of installed ones."""
    for folder in ("archive", "etc", "state/lists/partial", "cache/archives/partial"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "archive" / "Packages").write_text(CONTAINERD)
    (tmp_path / "etc" / "sources.list").write_text(f"deb [trusted=yes] file:{tmp_path}/archive ./\n")
    status = tmp_path / "state" / "status"
    status.write_text(CONTAINERD_IO)
    config = tmp_path / "apt.conf"
    config.write_text(
        f'Dir::Etc "{tmp_path}/etc"; Dir::State "{tmp_path}/state"; Dir::State::status "{status}"; '
        f'Dir::Cache "{tmp_path}/cache"; APT::Sandbox::User "root";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(config))
    return status


def test_a_conflict_with_docker_ce_is_told_and_nothing_removed(
    docker_ce: Path, path_without: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The installed package stays."""
    monkeypatch.setenv("PATH", path_without("containerd"))
    done = installed()
    assert done.returncode == 1
    assert "Packages need to be removed but remove is disabled" in done.stderr
    assert "If packages conflict (docker.io with docker-ce, containerd with containerd.io)" in done.stderr
    assert docker_ce.read_text() == CONTAINERD_IO
