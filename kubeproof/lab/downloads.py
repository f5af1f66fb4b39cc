"""Downloads the programs of releases, compares them with their published checksums, and unpacks them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import ssl
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import TypeVar

import httpx
import tenacity

from kubeproof.lab import LabFailed, go
from kubeproof.lab.cache import Component, provide
from kubeproof.lab.registries import advice, without_password
from kubeproof.process.commands import end_if_stopped
from kubeproof.process.progress import Progress, Task

T = TypeVar("T")

ATTEMPTS = 3
ANSWER_SECONDS = 5  # to find out whether releases can be reached at all
PATIENCE = httpx.Timeout(10, read=30)  # seconds to connect, and between two pieces of a response
OTHERWISE = "With `lab.source: modules` in the spec, it is built from its Go modules."
PIECE = 1 << 20
MB = 1_000_000
SHA256 = re.compile(r"[0-9a-f]{64}")


class Unavailable(LabFailed):
    """A release, or a program of it, can't be downloaded; the message says from where and why."""


class WrongChecksum(LabFailed):
    """A file does not match its checksum, and was removed."""


@dataclass(frozen=True)
class Published:
    """A file of a release; in `address`, `{version}` stands for the version.

    `checksums` names the file beside it that contains its SHA-256. `members` maps the programs to take from an archive
    to their names there; a file without members is itself a program.
    """

    address: str
    checksums: str = "{file}.sha256"
    members: dict[str, str] = field(default_factory=dict)

    def of(self, version: str) -> Published:
        """The file at one version."""
        address = self.address.format(version=version)
        return Published(address, self.checksums.format(file=_file_name(address)), self.members)


def _on_github(project: str, file: str, members: dict[str, str], checksums: str = "{file}.sha256") -> list[Published]:
    return [Published(f"https://github.com/{project}/releases/download/v{{version}}/{file}", checksums, members)]


# The addresses are those of each project's release process. containerd is the statically linked one, because it also
# runs on the host, to import the images.
RELEASES = {
    "kubernetes": [
        Published(f"https://dl.k8s.io/v{{version}}/bin/linux/amd64/{program}")
        for program in (
            *("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler"),
            *("kubeadm", "kubectl", "kubelet"),
        )
    ],
    "containerd": _on_github(
        "containerd/containerd",
        "containerd-static-{version}-linux-amd64.tar.gz",
        {name: name for name in ("containerd", "containerd-shim-runc-v2", "ctr")},
        checksums="{file}.sha256sum",
    ),
    "etcd": _on_github(
        "etcd-io/etcd",
        "etcd-v{version}-linux-amd64.tar.gz",
        {"server": "etcd", "etcdctl": "etcdctl"},  # as a build of the module names them
        checksums="SHA256SUMS",
    ),
    "coredns": _on_github("coredns/coredns", "coredns_{version}_linux_amd64.tgz", {"coredns": "coredns"}),
    "cri-tools": _on_github("kubernetes-sigs/cri-tools", "crictl-v{version}-linux-amd64.tar.gz", {"crictl": "crictl"}),
    "cni-plugins": _on_github(
        "containernetworking/plugins",
        "cni-plugins-linux-amd64-v{version}.tgz",
        {name: name for name in ("bandwidth", "bridge", "host-local", "loopback", "portmap", "tuning")},
    ),
}
# Programs that are published as images alone, so they are compiled.
UNPUBLISHED = {"kubernetes": ("k8s.io/kubernetes/test/images/agnhost",)}


def programs(name: str, version: str, mirror: str | None, progress: Progress) -> Component:
    """The programs of one of RELEASES, with the names that go.programs() gives them.

    The build raises Unavailable or WrongChecksum.
    """
    files = [file.of(version) for file in RELEASES[name]]
    compiled = [go.programs(name, version, UNPUBLISHED[name])] if name in UNPUBLISHED else []

    def build(folder: Path) -> None:
        with _client() as client:
            for file in files:
                _take(client, file, mirror, folder, progress)
        for part in compiled:
            for program in provide(part, progress).iterdir():
                os.link(program, folder / program.name)

    # The mirror is no part of the key: it has the same files.
    return Component(f"{name}-{version}-release", (*map(repr, files), *[part.key for part in compiled]), build)


def host(name: str, mirror: str | None) -> str:
    """The host that a release is downloaded from."""
    return httpx.URL(_address(RELEASES[name][0].address, mirror)).host


def complaint(name: str, version: str, mirror: str | None) -> str:
    """The reason, in one line, why a release can't be downloaded; empty if its first checksum arrives in time."""
    first = RELEASES[name][0].of(version)

    def ask() -> None:
        with _client() as client:
            _checksum(client, first, mirror, attempts=1)

    thread = ThreadPoolExecutor(1)  # because the lookup of a name has no deadline
    try:
        thread.submit(ask).result(ANSWER_SECONDS)
    except TimeoutError:
        return f"{host(name, mirror)} did not answer within {ANSWER_SECONDS} s"
    except Unavailable as error:
        return str(error).splitlines()[0]
    finally:
        thread.shutdown(wait=False)
    return ""


def _client() -> httpx.Client:
    """A client that respects proxy variables and SSL_CERT_FILE, and trusts the system's authorities without that."""
    # identity: some servers label an archive as a compressed response, and httpx would unpack it.
    plain = {"Accept-Encoding": "identity"}
    return httpx.Client(follow_redirects=True, timeout=PATIENCE, verify=ssl.create_default_context(), headers=plain)


def _take(client: httpx.Client, file: Published, mirror: str | None, folder: Path, progress: Progress) -> None:
    name = _file_name(file.address)
    expected = _checksum(client, file, mirror)
    address, target = _address(file.address, mirror), folder / name
    with progress.task(f"downloading {name}") as task:
        seen = _patiently(address, lambda: _stream(client, address, target, task))
    if seen != expected:
        raise WrongChecksum(
            f"{without_password(address)} does not match its checksum: expected SHA-256 {expected} (by "
            f"{file.checksums} beside it), seen {seen}.\nIt was removed. Try again, and if it fails again, tell the "
            f"server's administrator. {OTHERWISE}"
        )
    if file.members:
        _unpack(target, file.members)
        target.unlink()
    else:
        target.chmod(0o755)


def _checksum(client: httpx.Client, file: Published, mirror: str | None, attempts: int = ATTEMPTS) -> str:
    address = _address(file.address.removesuffix(_file_name(file.address)) + file.checksums, mirror)
    text = _patiently(address, lambda: client.get(address).raise_for_status().text, attempts)
    for line in text.splitlines():
        # A digest alone, or sha256sum(1)'s format: several files, each with its name.
        digest, _, name = line.strip().partition(" ")
        if SHA256.fullmatch(digest) and _file_name(name.strip().lstrip("*")) in ("", _file_name(file.address)):
            return digest
    raise Unavailable(
        f"{without_password(address)} contains no SHA-256 of {_file_name(file.address)}; it begins with {text[:60]!r}\n"
        f"{OTHERWISE}"
    )


def _stream(client: httpx.Client, address: str, target: Path, task: Task) -> str:
    """Download to `target`, and return the SHA-256 of the content."""
    digest = hashlib.sha256()
    with client.stream("GET", address) as response, target.open("wb") as file:
        size = int(response.raise_for_status().headers.get("Content-Length", 0))
        for piece in response.iter_raw(PIECE):
            end_if_stopped()
            digest.update(piece)
            file.write(piece)
            task.detail(f"{response.num_bytes_downloaded / MB:.0f} of {size / MB:.0f} MB")
            task.amount(response.num_bytes_downloaded, size)
    return digest.hexdigest()


def _patiently(address: str, ask: Callable[[], T], attempts: int = ATTEMPTS) -> T:
    """Call `ask`, again after errors that may pass; raises Unavailable."""
    try:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass),
            stop=tenacity.stop_after_attempt(attempts),
            wait=tenacity.wait_exponential(),
            reraise=True,
        )(ask)
    except httpx.HTTPStatusError as error:
        answer = error.response
        reason = f"the answer is {answer.status_code} {answer.reason_phrase}"
        remedy = "Check that this version is published there."
    except httpx.HTTPError as error:
        reason, remedy = f"{type(error).__name__} {error}".strip(), advice()
    raise Unavailable(f"{without_password(address)} can't be downloaded: {reason}\n{remedy} {OTHERWISE}")


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, httpx.TransportError)


def _unpack(archive: Path, members: dict[str, str]) -> None:
    with tarfile.open(archive) as packed:
        files = {_file_name(member.name): member for member in packed if member.isfile()}
        for program, name in members.items():
            if name not in files:
                raise Unavailable(f"{archive.name} contains no {name}, but {', '.join(sorted(files))}\n{OTHERWISE}")
            target = archive.with_name(program)
            with target.open("wb") as file:
                shutil.copyfileobj(packed.extractfile(files[name]), file)  # type: ignore[arg-type] # it is a file
            target.chmod(0o755)


def _address(address: str, mirror: str | None) -> str:
    """The address itself, or the mirror's: its prefix, then the original host and path."""
    return f"{mirror.rstrip('/')}/{address.removeprefix('https://')}" if mirror else address


def _file_name(address: str) -> str:
    return PurePosixPath(address).name
