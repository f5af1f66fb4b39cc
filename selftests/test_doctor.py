"""`kubeproof doctor` sees what a machine lacks, all at once, with what to do; each lack is made for real."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from kubeproof.lab.doctor import INSTALLER
from kubeproof.process import paths

Doctor = Callable[..., subprocess.CompletedProcess[str]]
PORTS = ("60010", "60101", "60102", "60103")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """The default spec, on ports that nobody uses."""
    text = paths.DEFAULT_SPEC.read_text().replace("scripts: ..", f"scripts: {paths.DEFAULT_SPEC.parent.parent}")
    with ExitStack() as held:
        for port in PORTS:
            listener = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            text = text.replace(port, str(listener.getsockname()[1]))
    file = tmp_path / "spec.yaml"
    file.write_text(text)
    return file


@pytest.fixture
def doctor(spec: Path, tmp_path: Path) -> Doctor:
    """What `kubeproof doctor` runs, behind a command that makes the fault, or with other variables."""

    def run(*before: str, **variables: str) -> subprocess.CompletedProcess[str]:
        wide = {**os.environ, "COLUMNS": "1000", "TMPDIR": str(tmp_path), **variables}
        command = [*before, sys.executable, "-m", "kubeproof", "doctor", f"--cluster={spec}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=wide)
        assert "Traceback" not in done.stderr
        return done

    return run


def unmet(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    """Need, sight and remedy of each line that stops a run; the exit status says that there are some."""
    lines = [[cell.strip() for cell in line.split("│")] for line in done.stdout.splitlines() if "✘" in line]
    assert (done.returncode, bool(lines)) == (1, True)
    return [line[2:5] for line in lines]


def on_another(mounting: str) -> list[str]:
    """A command in front of another, which that one runs after, as on a machine where this was mounted."""
    return ["unshare", "--mount", "sh", "-euc", f'{mounting}; exec "$@"', "sh"]


@pytest.mark.usefixtures("warm_cache", "no_network")
def test_a_good_machine_is_told_so(doctor: Doctor) -> None:
    """This one; where everything is built no registry is asked, or it would be found silent."""
    done = doctor()
    assert "✘" not in done.stdout
    assert done.stdout.endswith("this machine can run the lab\n")
    assert done.returncode == 0


@pytest.mark.usefixtures("warm_cache")
def test_every_lack_is_told_at_once(doctor: Doctor, path_without: Callable[..., str]) -> None:
    """So that one round of mending is enough."""
    found = unmet(doctor(PATH=path_without("vagrant", "nsenter", "containerd")))
    assert [need for need, _, _ in found] == ["vagrant", "containerd", "nsenter"]


@pytest.mark.usefixtures("warm_cache")
def test_a_program_that_is_not_there_is_named_with_its_package(
    doctor: Doctor, path_without: Callable[..., str]
) -> None:
    """Debian's."""
    install = f"Install it: `{INSTALLER}` does that on Debian (package docker.io)"
    assert unmet(doctor(PATH=path_without("docker"))) == [["docker", "not there", install]]


@pytest.mark.usefixtures("warm_cache")
def test_a_program_that_path_hides_is_named_with_its_place(doctor: Doctor, path_without: Callable[..., str]) -> None:
    """As after `su` without a dash."""
    ((need, seen, remedy),) = unmet(doctor(PATH=path_without("ip")))
    assert need == "ip"
    assert seen.endswith("sbin/ip, not on PATH")
    assert remedy.startswith("Add /")


@pytest.mark.usefixtures("warm_cache")
@pytest.mark.parametrize(
    ("says", "seen"),
    [
        ("echo Docker version 19.03.8, build afacb8b7f0", "/bin/dockerd, 19.03.8"),
        ("echo nothing of the kind", "which calls itself 'nothing of the kind'"),
        ("echo no such library >&2; exit 127", "ended with status 127"),
    ],
)
def test_a_program_that_is_too_old_or_broken_is_told(
    doctor: Doctor, path_without: Callable[..., str], says: str, seen: str
) -> None:
    """By what it says of itself."""
    path = path_without("dockerd")
    (Path(path) / "dockerd").write_text(f"#!/bin/sh\n{says}\n")
    (Path(path) / "dockerd").chmod(0o755)
    ((need, sight, remedy),) = unmet(doctor(PATH=path))
    assert need == "dockerd 20.10 or newer"
    assert seen in sight
    assert remedy


@pytest.mark.usefixtures("warm_cache")
def test_who_is_not_root_is_told(doctor: Doctor) -> None:
    """First of all."""
    # It may read this checkout, wherever that is.
    readable = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    found = unmet(doctor("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *readable))
    assert found[0] == ["root", "user id 65534", "Run it as root: a Docker daemon, networks and mounts are made"]


@pytest.mark.usefixtures("warm_cache")
def test_a_root_without_its_capabilities_is_told(doctor: Doctor) -> None:
    """As in most containers."""
    found = unmet(doctor("setpriv", "--bounding-set=-sys_admin,-mknod"))
    assert found[0][:2] == ["root's capabilities", "without SYS_ADMIN, MKNOD"]


@pytest.fixture
def used_before(own_state: Path, warm_cache: Path) -> None:
    """The folders that a first run leaves."""
    own_state.parent.mkdir()
    (warm_cache / "docker").mkdir()


@pytest.mark.usefixtures("used_before")
@pytest.mark.parametrize(
    ("mounting", "need", "seen"),
    [
        ("mount -t tmpfs none /sys/fs/cgroup", "cgroups, writable", "without cpu, cpuacct, cpuset, devices"),
        (
            "mount -t tmpfs none /sys/fs/cgroup; echo cpuset cpu memory > /sys/fs/cgroup/cgroup.controllers",
            "cgroup v2, writable",
            "without pids",
        ),
        (
            "mount -t tmpfs none /dev; mknod /dev/null c 1 3; mknod /dev/urandom c 1 9",
            "/dev/kmsg, which kubelet reads",
            "not there",
        ),
        (
            "echo 128 > $TMPDIR/few; place=/proc/sys/fs/inotify/max_user_instances; "
            "mount --bind $TMPDIR/few $place; mount -o remount,bind,ro $place",
            "1024 inotify instances",
            "128",
        ),
        (
            "sed -E 's/^(MemAvailable|SwapFree): .*/\\1: 500000 kB/' /proc/meminfo > $TMPDIR/little; "
            "mount --bind $TMPDIR/little /proc/meminfo",
            "2.5 GB of memory for 4 machines",
            "1.0 GB available, with swap",
        ),
        ("mount -t tmpfs -o ro none $XDG_STATE_HOME", "a folder for its state", "can't be written"),
        (
            "mount -t tmpfs -o size=8m none $XDG_CACHE_HOME/kubeproof/docker",
            "room for the box and its machines",
            "0.0 GB are free for",
        ),
    ],
)
def test_what_a_machine_lacks_is_told(doctor: Doctor, mounting: str, need: str, seen: str) -> None:
    """Alone, and with what to do."""
    ((what, sight, remedy),) = unmet(doctor(*on_another(mounting)))
    assert what == need
    assert seen in sight
    assert remedy


@pytest.mark.usefixtures("warm_cache")
def test_too_few_processors_are_told(doctor: Doctor) -> None:
    """Docker refuses a machine that has more."""
    ((need, seen, _),) = unmet(doctor("taskset", "--cpu-list", f"{min(os.sched_getaffinity(0))}"))
    assert (need, seen) == ("2 processors, as m-k8s has", "1")


@pytest.mark.usefixtures("warm_cache")
def test_a_port_in_use_is_told_with_who_uses_it(doctor: Doctor, spec: Path) -> None:
    """A process that a person can look up."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = spec.read_text().splitlines()
        spec.write_text("\n".join(f"{line.rsplit(' ', 1)[0]} {port}}}" if "w2-k8s" in line else line for line in text))
        ((need, seen, remedy),) = unmet(doctor())
    assert need == f"port {port} on 127.0.0.1, w2-k8s's"
    assert seen.startswith(f"used by process {os.getpid()} (")
    assert remedy == "End what uses it, or change the spec"


@pytest.mark.usefixtures("cold_cache", "no_network")
def test_silent_registries_are_told_where_there_is_something_to_build(doctor: Doctor) -> None:
    """With what each was to be asked for, the reason, and the variables that lead to them, without a password."""
    silent = [line for line in unmet(doctor()) if "proxy, to" in line[0] or "archive, to" in line[0]]
    assert [need for need, _, _ in silent] == [
        "the Go module proxy, to build the cluster's programs",
        "Debian's archive, to make the machines' systems",
    ]
    for _, seen, remedy in silent:
        assert "127.0.0.1:9" in seen
        assert "refused" in seen
        assert "http_proxy=http://***@127.0.0.1:9" in remedy


@pytest.mark.usefixtures("cold_cache", "no_network")
def test_a_machine_without_go_needs_the_index_of_packages(doctor: Doctor, path_without: Callable[..., str]) -> None:
    """From which it takes one."""
    found = {need: seen for need, seen, _ in unmet(doctor(PATH=path_without("go")))}
    assert "Connection refused" in found["the Python package index, to fetch a Go toolchain"]


def test_a_bad_spec_is_told_instead(tmp_path: Path) -> None:
    """There is nothing to look for then."""
    (tmp_path / "spec.yaml").write_text("name: x\n")
    command = [sys.executable, "-m", "kubeproof", "doctor", f"--cluster={tmp_path / 'spec.yaml'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nodes: is required and not there" in done.stderr


@pytest.mark.usefixtures("cold_cache", "no_network")
def test_releases_are_asked_for_where_the_spec_wants_no_other_source(doctor: Doctor, spec: Path) -> None:
    """By the mirror's address, which does not answer here."""
    text = spec.read_text().replace("source: auto", "source: release")
    spec.write_text(text.replace("mirror: null", "mirror: http://127.0.0.1:9/releases"))
    found = {need: seen for need, seen, _ in unmet(doctor())}
    assert found["releases to download, which the spec asks for"].startswith(
        "http://127.0.0.1:9/releases/dl.k8s.io/v1.36.3/bin/linux/amd64/kube-apiserver.sha256 can't be had: "
    )


@pytest.mark.usefixtures("cold_cache", "no_network")
def test_releases_are_no_need_where_modules_do_as_well(doctor: Doctor) -> None:
    """As the default spec has it."""
    assert "releases to download" not in doctor().stdout
