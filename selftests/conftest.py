"""What the self-tests share: pytest runs inside pytest, and a state and cache of their own."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kubeproof.lab import box, uplink
from kubeproof.process import paths
from kubeproof.spec import load
from selftests import disks
from selftests.mirror import Mirror, served

pytest_plugins = ["pytester"]

BUNDLED = sorted(paths.DEFAULT_SPEC.parent.glob("*.yaml"))
NO_PROXY_HERE = "http://somebody:secret@127.0.0.1:9"  # the port of discard, which nobody serves


@pytest.fixture(scope="session", params=BUNDLED, ids=lambda file: file.stem)
def bundled(request: pytest.FixtureRequest) -> Path:
    """Each spec that comes with the project in turn."""
    file: Path = request.param
    return file


@pytest.fixture
def pytester(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project that has asked for kubeproof's plugin."""
    pytester.makeconftest('pytest_plugins = ["kubeproof.pytest_plugin"]')
    return pytester


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No self-test sees, or touches, the lab that may be kept on this machine."""
    state = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    return state / "kubeproof"


@pytest.fixture
def cold_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test alone, with nothing in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return paths.cache()


@pytest.fixture
def warm_cache(cold_cache: Path) -> Path:
    """A cache of this test alone in which every part of the default spec's box is there, though empty."""
    for part in box.missing(load(paths.DEFAULT_SPEC)):
        part.folder.mkdir(parents=True)
    return cold_cache


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    with disks.mounted(tmp_path / "small", "2m") as folder:
        yield folder


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system without a free block."""
    with disks.mounted(tmp_path / "full", "64k") as folder:
        filling = subprocess.run(["dd", "if=/dev/zero", f"of={folder / 'filler'}"], capture_output=True, check=False)
        assert b"No space left" in filling.stderr
        yield folder


@pytest.fixture
def path_without(tmp_path: Path) -> Callable[..., str]:
    """A PATH on which all of this machine's programs are, but for those that are named."""

    def make(*left_out: str) -> str:
        folder = tmp_path / "bin"
        folder.mkdir()
        for place in reversed(os.environ["PATH"].split(os.pathsep)):
            for program in Path(place).glob("*"):
                (folder / program.name).unlink(missing_ok=True)
                (folder / program.name).symlink_to(program)
        for name in left_out:
            (folder / name).unlink(missing_ok=True)
        assert not any(shutil.which(name, path=str(folder)) for name in left_out)
        return str(folder)

    return make


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that does not answer, whatever registry is asked."""
    monkeypatch.setenv("PIP_RETRIES", "0")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, NO_PROXY_HERE)
    for name in ("no_proxy", "NO_PROXY", "GOPROXY", "GONOPROXY", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A mirror of the default spec's releases, with a way to it that no variable of this machine leads elsewhere."""
    for name in (*uplink.PROXY, "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with served(tmp_path / "mirror") as mirror:
        mirror.publish_all()
        yield mirror
