"""The kept root shell on a machine reports each command's result to testinfra, over a real connection."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import paramiko
import pytest
from testinfra.host import Host

from kubeproof.access import questions, ssh
from kubeproof.access.ssh import Unreachable, enter
from kubeproof.process import paths
from kubeproof.process.waiting import wait_for
from selftests.ssh_server import Server, served

MUCH = 3_000_000  # bytes: more than the window of an unread stream


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[tuple[Server, Host]]:
    """A server, and its testinfra host."""
    with served(tmp_path) as (server, config):
        yield server, enter("m-k8s", config)


@pytest.fixture
def host(machine: tuple[Server, Host]) -> Host:
    """The testinfra host."""
    return machine[1]


def test_status_and_both_streams_are_returned(host: Host) -> None:
    """Both streams are returned byte for byte."""
    done = host.run("printf 'out\\n'; printf err >&2; exit 3")
    assert (done.rc, done.stdout, done.stderr) == (3, "out\n", "err")


@pytest.mark.parametrize("text", ["a'b\"c$d", "%s", "two\nlines", "ü", ""])
def test_arguments_arrive_as_they_are(host: Host, text: str) -> None:
    """The shell expands nothing in them."""
    assert host.run("printf '%%s' %s", text).stdout == text


def test_much_of_both_streams_is_read(host: Host) -> None:
    """Neither stream blocks the other."""
    talk = f"head -c {MUCH} /dev/zero | tr '\\0' x"
    done = host.run(f"{talk}; {talk} >&2; {talk}")
    assert (len(done.stdout), len(done.stderr)) == (2 * MUCH, MUCH)


def test_nothing_is_left_for_the_next_command(host: Host) -> None:
    """Folder and variables are reset, and a command does not read the shell's input."""
    host.run("cd /; variable=left; cat")
    assert host.check_output('[ "$PWD" = / ] || echo elsewhere; echo $variable') == "elsewhere"


def test_a_cut_connection_is_opened_again(machine: tuple[Server, Host]) -> None:
    """A reboot cuts it."""
    server, host = machine
    assert host.check_output("echo before") == "before"
    server.cut()
    assert host.check_output("echo after") == "after"


def test_the_last_used_connections_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection used longest ago is closed, and opened again for the next command."""
    monkeypatch.setattr(ssh, "MOST_ENTERED", 2)
    monkeypatch.setattr(ssh, "_hosts", {})
    with served(tmp_path) as (server, config):
        hosts = [enter(name, config) for name in ("m-k8s", "w1-k8s", "m-k8s", "w2-k8s")]
        wait_for("one is closed", lambda: [link.is_active() for link in server.transports].count(False), within=10)
        assert [link.is_active() for link in server.transports] == [True, False, True]
        assert hosts[1].check_output("echo back") == "back"


def test_late_output_of_an_interrupted_command_is_dropped(host: Host) -> None:
    """After Ctrl-C in the middle of a command, mending begins at once."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    handled = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(KeyboardInterrupt):
            host.run("sleep 2; echo late")
    finally:
        signal.signal(signal.SIGALRM, handled)
    began = time.monotonic()
    assert host.check_output("echo next") == "next"
    assert time.monotonic() - began < 1.5


def test_a_machine_that_is_gone_is_unreachable(tmp_path: Path) -> None:
    """A command raises as soon as it can't run, not only a new connection."""
    with served(tmp_path) as (_, config):
        host = enter("m-k8s", config)
    with pytest.raises(Unreachable, match=r"m-k8s can't be entered over ssh: .*Look with: ssh -F "):
        host.run("true")
    with pytest.raises(Unreachable):
        enter("nowhere", config)


def test_machines_are_entered_side_by_side(tmp_path: Path) -> None:
    """Connections are opened in parallel."""
    names = ["m-k8s", "w1-k8s", "w2-k8s"]
    with served(tmp_path) as (server, config), ThreadPoolExecutor(len(names)) as pool:
        server.at_the_door = threading.Barrier(len(names), timeout=5)
        hosts = pool.map(lambda name: enter(name, config), names)
        assert [host.backend.hostname for host in hosts] == names


def test_a_shell_that_is_refused_says_why(tmp_path: Path) -> None:
    """For example, sudo may want a password."""
    with served(tmp_path) as (server, config):
        server.instead = "echo 'sudo: a password is required' >&2; exit 1"
        with pytest.raises(Unreachable, match="a password is required"):
            enter("m-k8s", config)


def test_the_last_command_is_noted(host: Host) -> None:
    """The note is what a person would type: quoted, and without the wrapping shell."""
    host.run("cat %s", "a file")
    assert questions.last() == questions.Question("m-k8s", "cat 'a file'")
    questions.forget()
    assert questions.last() == questions.Question()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every time-out is one second."""
    monkeypatch.setattr(ssh, "CONNECT_SECONDS", 1)
    one_second = property(lambda _: 1.0, lambda *_: None)
    monkeypatch.setattr(paramiko.Transport, "banner_timeout", one_second, raising=False)


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The same server in its own process, and its ssh config."""
    serve = "import pathlib, sys; from selftests.ssh_server import served; served = served(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", f"{serve}; print(served.__enter__()[1], flush=True); sys.stdin.read()"]
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, str(tmp_path)], cwd=paths.CHECKOUT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        yield process, Path(process.stdout.readline().strip())
        process.kill()


@pytest.mark.usefixtures("impatient")
def test_a_command_may_take_its_time(host: Host) -> None:
    """A long command is not cut off while its machine answers."""
    assert host.check_output("sleep 3; echo done") == "done"


@pytest.mark.usefixtures("impatient")
def test_a_silent_machine_is_unreachable_and_then_at_once(
    apart: tuple[subprocess.Popen[str], Path],
) -> None:
    """A running command raises; the next connection waits once, and later ones fail at once."""
    process, config = apart
    host = enter("m-k8s", config)
    os.kill(process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)  # before that it may still answer
    with pytest.raises(Unreachable):
        host.run("true")
    with pytest.raises(Unreachable):
        enter("m-k8s", config)
    began = time.monotonic()
    with pytest.raises(Unreachable, match="m-k8s can't be entered over ssh"):
        enter("m-k8s", config)
    assert time.monotonic() - began < 0.1
    os.kill(process.pid, signal.SIGCONT)
