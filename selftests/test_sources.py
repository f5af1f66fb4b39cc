"""The spec's `lab.source` selects the release, a build of the modules, or the first that works."""

import subprocess
import time
from pathlib import Path

import pytest

from kubeproof.lab import downloads, go, sources
from kubeproof.process.progress import Progress
from kubeproof.spec.model import Lab
from selftests.mirror import ETCD, Mirror, hang

MODULES = {"kubernetes": "1.36.3", "etcd": "3.6.8", "coredns": "1.14.2"}


def lab(source: str, mirror: str | None) -> Lab:
    """The spec's section `lab`."""
    return Lab.model_validate({"source": source, "mirror": mirror, "proxy": None, "ca": None})


def output_of_program(source: str, mirror: str, name: str = "etcd") -> str:
    """Provide a component, and return the output of its program."""
    folder = sources.Provider(lab(source, mirror), Progress()).provide(name, MODULES[name])
    return subprocess.check_output([folder / {"etcd": "server"}.get(name, name)], text=True).strip()


@pytest.fixture(scope="session")
def go_builds() -> str:
    """This machine's folder of compiled Go packages."""
    return subprocess.check_output([go.toolchain(), "env", "GOCACHE"], text=True).strip()


@pytest.fixture(autouse=True)
def small_modules(go_builds: str, cold_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipes of the same names, for a program that prints how it was made and compiles within a second."""
    del cold_cache  # it would be Go's as well, which is set back here
    monkeypatch.setenv("GOCACHE", go_builds)
    monkeypatch.setattr(go, "MODULES", tmp_path / "go")
    for name, version in MODULES.items():
        module = tmp_path / "go" / f"{name}-{version}"
        module.mkdir(parents=True)
        program = {"etcd": "server"}.get(name, name)
        (module / "go.mod").write_text(f"module kubeproof.lab/{program}\n\ngo 1.26.0\n")
        (module / "main.go").write_text(
            'package main\n\nimport "os"\n\nfunc main() { os.Stdout.WriteString("compiled\\n") }\n'
        )


def test_modules_ask_no_mirror(mirror: Mirror) -> None:
    """They are built without one."""
    assert output_of_program("modules", mirror.url) == "compiled"
    assert mirror.requests == []


def test_a_release_is_not_built(mirror: Mirror) -> None:
    """A missing release is an error, because the spec allows nothing else."""
    assert output_of_program("release", mirror.url) == "etcd"
    (mirror.folder / ETCD).unlink()
    component = sources.programs(lab("release", mirror.url), "etcd", "3.6.8")
    subprocess.run(["rm", "-r", component.folder], check=True)
    with pytest.raises(downloads.Unavailable):
        output_of_program("release", mirror.url)


def test_auto_takes_the_release(mirror: Mirror) -> None:
    """The mirror has it."""
    assert output_of_program("auto", mirror.url) == "etcd"


def test_auto_builds_what_is_not_published(mirror: Mirror, capfd: pytest.CaptureFixture[str]) -> None:
    """It reports that."""
    (mirror.folder / ETCD).unlink()
    assert output_of_program("auto", mirror.url) == "compiled"
    assert (
        f"{mirror.url}/{ETCD} can't be downloaded: the answer is 404 File not found; etcd 3.6.8 is built from its "
        "modules instead"
    ) in capfd.readouterr().err.splitlines()


@pytest.mark.usefixtures("no_network")
def test_auto_builds_all_where_nothing_answers(capfd: pytest.CaptureFixture[str]) -> None:
    """Each host is asked once, and each silence is reported once."""
    provider = sources.Provider(lab("auto", None), Progress())
    folders = [provider.provide(name, version) for name, version in MODULES.items()]
    assert [subprocess.check_output([*folder.iterdir()], text=True) for folder in folders] == ["compiled\n"] * 3
    reports = [line for line in capfd.readouterr().err.splitlines() if "can't be downloaded" in line]
    assert [line.partition("refused; ")[2] for line in reports] == [
        "what dl.k8s.io publishes is built from its modules instead",
        "what github.com publishes is built from its modules instead",
    ]


def test_auto_does_not_wait_for_a_server_that_hangs(
    mirror: Mirror, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits a few seconds at most; here one is enough."""
    monkeypatch.setattr(downloads, "ANSWER_SECONDS", 1)
    mirror.faults["SHA256SUMS"] = [hang]
    started = time.monotonic()
    assert downloads.complaint("etcd", "3.6.8", mirror.url) == "127.0.0.1 did not answer within 1 s"
    assert time.monotonic() - started < 5
    mirror.faults["SHA256SUMS"] = [hang]
    assert output_of_program("auto", mirror.url) == "compiled"
    assert "127.0.0.1 did not answer within 1 s; what 127.0.0.1 publishes is built" in capfd.readouterr().err


def test_auto_takes_no_wrong_checksum_for_an_absence(mirror: Mirror) -> None:
    """A person must look at it."""
    (mirror.folder / ETCD).write_bytes(b"something else")
    with pytest.raises(downloads.WrongChecksum):
        output_of_program("auto", mirror.url)


@pytest.mark.parametrize("source", ["modules", "release"])
def test_auto_asks_nobody_for_what_is_cached(mirror: Mirror, source: str) -> None:
    """Neither source is asked again."""
    output = output_of_program(source, mirror.url)
    mirror.requests.clear()
    assert output_of_program("auto", mirror.url) == output
    assert mirror.requests == []


def test_what_is_no_release_is_always_built(tmp_path: Path) -> None:
    """Calico publishes images alone."""
    (tmp_path / "go" / "calico-3.28.5").mkdir()
    released = sources.programs(lab("release", None), "calico", "3.28.5")
    assert released.key == go.programs("calico", "3.28.5").key
