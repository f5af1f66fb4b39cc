"""The lab's cache, its disks, its relay and its processes, each for real."""

import importlib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from kubeproof.lab import LabFailed, processes
from kubeproof.lab.cache import Component, provide
from kubeproof.lab.disk import explaining_full_disk, lacking
from kubeproof.process import paths
from kubeproof.process.commands import run, threads
from kubeproof.process.fingerprint import fingerprint
from kubeproof.process.progress import Progress
from kubeproof.process.waiting import wait_for
from kubeproof.spec import load
from selftests import disks

QUIET = Progress(quiet=True)
pytestmark = pytest.mark.usefixtures("cold_cache")


def writes_one(folder: Path) -> None:
    """A build that succeeds."""
    (folder / "part").write_text("one")


def fails_half_way(folder: Path) -> None:
    """A build that fails after its first file."""
    (folder / "part").write_text("half")
    raise RuntimeError("no disk")


def test_a_component_is_built_once() -> None:
    """The second time it is taken from the cache."""
    folder = provide(Component("part", ("1.0",), writes_one), QUIET)
    (folder / "part").write_text("untouched")
    assert (provide(Component("part", ("1.0",), writes_one), QUIET) / "part").read_text() == "untouched"


def test_a_change_of_recipe_builds_anew(tmp_path: Path) -> None:
    """A version and a file's content are both part of the recipe."""
    file = tmp_path / "recipe"
    file.write_text("a")
    keys = {Component("part", (file, "1.0"), writes_one).key, Component("part", (file, "1.1"), writes_one).key}
    file.write_text("b")
    keys.add(Component("part", (file, "1.0"), writes_one).key)
    assert len(keys) == 3


BUILDER = """\
from pathlib import Path

def build(folder: Path) -> None:
    (folder / "part").write_text("one")
"""


@pytest.fixture
def key_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """The key of a component whose builder's module has the given source."""
    monkeypatch.syspath_prepend(tmp_path)

    def key(source: str) -> str:
        name = f"builder_{fingerprint(source)}"
        (tmp_path / f"{name}.py").write_text(source)
        return Component("part", ("1.0",), importlib.import_module(name).build).key

    return key


@pytest.mark.parametrize(
    "source",
    [
        BUILDER.replace("def", "# A comment.\ndef"),
        BUILDER.replace("None:\n", 'None:\n    """A docstring."""\n'),
        f'"""A docstring of the module."""\n{BUILDER}',
        f"import os\n{BUILDER}",
        BUILDER.replace("/ ", "/\\\n        "),
    ],
    ids=["comment", "docstring", "module's docstring", "import", "layout"],
)
def test_rewording_a_builder_changes_no_key(key_of: Callable[[str], str], source: str) -> None:
    """A reworded comment must not rebuild Kubernetes."""
    assert source != BUILDER
    assert key_of(source) == key_of(BUILDER)


@pytest.mark.parametrize("source", [BUILDER.replace('"one"', '"two"'), f"{BUILDER}LIMIT = 1\n"])
def test_a_changed_statement_of_a_builder_changes_the_key(key_of: Callable[[str], str], source: str) -> None:
    """Also one outside the build function, which may use it."""
    assert key_of(source) != key_of(BUILDER)


def test_a_half_made_part_is_never_used() -> None:
    """Nothing of it is left."""
    broken = Component("part", ("1.0",), fails_half_way)
    with pytest.raises(RuntimeError):
        provide(broken, QUIET)
    assert not broken.folder.exists()
    assert [path for path in broken.folder.parent.iterdir() if path.is_dir()] == []


def test_what_killed_builds_left_is_removed(cold_cache: Path) -> None:
    """The draft of a running build stays."""
    components = cold_cache / "components"
    for name in ("killed", "building"):
        (components / f".{name}-1.0-0123.half").mkdir(parents=True)
        (components / f"{name}-1.0-0123.lock").touch()
    with FileLock(components / "building-1.0-0123.lock"):
        provide(Component("another", (), writes_one), QUIET)
    assert [path.name for path in components.glob(".*")] == [".building-1.0-0123.half"]


@pytest.fixture
def small_disk(cold_cache: Path) -> Iterator[Path]:
    """A cache on a file system of 2 MB."""
    with disks.mounted(cold_cache, "2m") as cache:
        yield cache


def writes_too_much(folder: Path) -> None:
    """A build that itself writes more than fits."""
    (folder / "part").write_bytes(bytes(3 << 20))


def runs_a_program_that_writes_too_much(folder: Path) -> None:
    """A build whose program writes more than fits."""
    run("dd", "if=/dev/zero", f"of={folder / 'part'}", "bs=1M", "count=3")


@pytest.mark.parametrize("build", [writes_too_much, runs_a_program_that_writes_too_much])
def test_a_full_disk_says_how_much_is_needed(small_disk: Path, build: Callable[[Path], None]) -> None:
    """No draft is left."""
    with pytest.raises(LabFailed) as failure, explaining_full_disk(load(paths.DEFAULT_SPEC)):
        provide(Component("part", (), build), QUIET)
    assert "No space left on device" in str(failure.value)
    assert f"- 0.0 GB are free for {small_disk}/docker/kubeproof; 14.2 GB are needed (the box" in str(failure.value)
    assert "Free some, or set XDG_CACHE_HOME (" in str(failure.value)
    assert [path for path in (small_disk / "components").iterdir() if path.is_dir()] == []


def test_a_disk_that_machines_have_filled_is_told(small_disk: Path) -> None:
    """The machines may not have reported it."""
    assert f"- 0.0 GB are free for {small_disk}/docker/kubeproof" in lacking(load(paths.DEFAULT_SPEC))


def test_a_disk_with_room_is_not_told() -> None:
    """The bring-up failed for another reason."""
    assert lacking(load(paths.DEFAULT_SPEC)) == ""


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Path]:
    """A network namespace with nothing but its loopback; returns its mount point."""
    mounted = tmp_path / "network"
    mounted.touch()
    subprocess.run(["unshare", f"--net={mounted}", "ip", "link", "set", "lo", "up"], check=True)
    yield mounted
    subprocess.run(["umount", mounted], check=True)


@pytest.fixture
def echo(network: Path, tmp_path: Path) -> Iterator[int]:
    """A server inside the namespace that echoes each line; returns its port."""
    program = (
        "import socketserver as s;"
        "h=type('H',(s.StreamRequestHandler,),{'handle':lambda self:self.wfile.write(self.rfile.readline())});"
        "s.TCPServer(('127.0.0.1',7007),h).serve_forever()"
    )
    server = processes.start("echo", [sys.executable, "-c", program], log=tmp_path / "echo.log", network=network)
    yield 7007
    server.end()


def test_the_relay_leads_from_the_host_into_the_lab(network: Path, echo: int, tmp_path: Path) -> None:
    """It listens on the host and connects inside the namespace."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    route = f"{listener.fileno()}=127.0.0.1:{echo}"
    relay = processes.start(
        "relay",
        [sys.executable, "-m", "kubeproof.lab.relay", route],
        log=tmp_path / "relay.log",
        network=network,
        descriptors=[listener.fileno()],
    )
    listener.close()

    def ask() -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"hello\n")
            return connection.recv(100)

    try:
        assert wait_for("an answer", ask, within=10) == b"hello\n"
    finally:
        relay.end()
    with pytest.raises(ConnectionRefusedError):
        ask()


def test_a_process_is_ended_by_id_and_start_time(network: Path, tmp_path: Path) -> None:
    """Another process with its id is left alone."""
    sleeper = processes.start("sleeper", ["sleep", "60"], log=tmp_path / "log", network=network)
    stranger = sleeper.model_copy(update={"started": sleeper.started - 100})
    assert not stranger.is_running()
    stranger.end()
    assert sleeper.is_running()
    sleeper.end()
    assert not sleeper.is_running()


def stop_while_a_thread_runs_a_program() -> None:
    """Raise what Ctrl-C raises, in the main thread alone."""
    with threads(1) as pool:
        pool.submit(run, "sleep", "600")
        wait_for("it runs", lambda: psutil.Process().children(recursive=True), within=10)
        raise KeyboardInterrupt


def test_who_stops_a_build_does_not_wait_for_its_end() -> None:
    """The program is ended at once."""
    with pytest.raises(KeyboardInterrupt):
        stop_while_a_thread_runs_a_program()
    assert psutil.Process().children(recursive=True) == []
