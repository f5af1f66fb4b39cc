"""A mirror of releases on loopback with faults on demand; or a proxy that decrypts TLS, as in many companies."""

from __future__ import annotations

import hashlib
import io
import ssl
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import trustme

Fault = Callable[["Answer"], None]
KUBERNETES = "dl.k8s.io/v1.36.3/bin/linux/amd64"
ETCD = "github.com/etcd-io/etcd/releases/download/v3.6.8/etcd-v3.6.8-linux-amd64.tar.gz"
CONTAINERD = "github.com/containerd/containerd/releases/download/v2.2.1/containerd-static-2.2.1-linux-amd64.tar.gz"
COREDNS = "github.com/coredns/coredns/releases/download/v1.14.2/coredns_1.14.2_linux_amd64.tgz"
CRICTL = "github.com/kubernetes-sigs/cri-tools/releases/download/v1.36.0/crictl-v1.36.0-linux-amd64.tar.gz"
PLUGINS = "github.com/containernetworking/plugins/releases/download/v1.9.1/cni-plugins-linux-amd64-v1.9.1.tgz"


class Mirror(ThreadingHTTPServer):
    """Serves a folder; `faults` holds the faults of the next requests for a file, by its name."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.folder = folder
        self.faults: dict[str, list[Fault]] = {}
        self.requests: list[str] = []
        self.ended = threading.Event()
        self.authority: trustme.CA | None = None  # of its certificates as a proxy

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def publish(self, path: str, content: bytes, checksums: str = "{file}.sha256") -> None:
        """Add a file, and beside it its SHA-256 in sha256sum(1)'s format."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        line = f"{hashlib.sha256(content).hexdigest()}  {file.name}\n"
        file.with_name(checksums.format(file=file.name)).write_text(line)

    def publish_all(self) -> None:
        """Add the files of the default spec's releases: scripts that print their name and version."""
        for name in ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler"):
            self.publish(f"{KUBERNETES}/{name}", script(f"{name} 1.36.3"))
        for name in ("kubeadm", "kubectl", "kubelet"):
            self.publish(f"{KUBERNETES}/{name}", script(f"{name} 1.36.3"))
        self.publish(
            CONTAINERD,
            archive("bin/containerd", "bin/containerd-shim-runc-v2", "bin/ctr", "bin/containerd-stress"),
            checksums="{file}.sha256sum",
        )
        self.publish(
            ETCD,
            archive(*[f"etcd-v3.6.8-linux-amd64/{name}" for name in ("README.md", "etcd", "etcdctl", "etcdutl")]),
            checksums="SHA256SUMS",
        )
        self.publish(COREDNS, archive("coredns"))
        self.publish(CRICTL, archive("crictl"))
        plugins = ("bandwidth", "bridge", "host-local", "loopback", "portmap", "tuning", "vlan", "LICENSE")
        self.publish(PLUGINS, archive(*[f"./{name}" for name in plugins]))


class Answer(SimpleHTTPRequestHandler):
    """One request, to the mirror or to the proxy."""

    server: Mirror
    host = ""

    def do_GET(self) -> None:
        """Answer, or commit the next fault."""
        self.server.requests.append(self.path)
        self.path = urlsplit(self.path).path
        faults = self.server.faults.get(Path(self.path).name)
        if faults:
            faults.pop(0)(self)
        else:
            super().do_GET()

    def do_CONNECT(self) -> None:
        """Act as the requested host: with its files, and a certificate of its name."""
        self.server.requests.append(f"CONNECT {self.path}")
        assert self.server.authority
        self.host = self.path.split(":")[0]
        self.send_response(HTTPStatus.OK)
        self.end_headers()
        context = certificate(self.server.authority, self.host)
        try:
            self.connection = context.wrap_socket(self.connection, server_side=True)
        except ssl.SSLError:  # the client does not trust the certificate
            return
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def translate_path(self, path: str) -> str:
        """The file under the served folder."""
        return f"{self.server.folder}/{self.host}/{path.lstrip('/')}"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the name is the overridden one's
        """Keep the terminal clean."""


def certificate(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """The TLS settings of a server with that name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def half(answer: Answer) -> None:
    """Break the connection in the middle of the body."""
    content = Path(answer.translate_path(answer.path)).read_bytes()
    answer.send_response(HTTPStatus.OK)
    answer.send_header("Content-Length", str(len(content)))
    answer.end_headers()
    answer.wfile.write(content[: len(content) // 2])


def half_that_looks_whole(answer: Answer) -> None:
    """Break it likewise, without a Content-Length before."""
    content = Path(answer.translate_path(answer.path)).read_bytes()
    answer.send_response(HTTPStatus.OK)
    answer.end_headers()
    answer.wfile.write(content[: len(content) // 2])


def busy(answer: Answer) -> None:
    """Report an overload."""
    answer.send_error(HTTPStatus.SERVICE_UNAVAILABLE)


def hang(answer: Answer) -> None:
    """Keep the connection open without an answer, for longer than any client waits."""
    answer.server.ended.wait(60)


def portal(answer: Answer) -> None:
    """Answer with a login page and status 200."""
    answer.send_response(HTTPStatus.OK)
    answer.end_headers()
    answer.wfile.write(b"<html>Please log in</html>")


def encoded(answer: Answer) -> None:
    """Label an archive as a compressed response, as some servers do."""
    answer.send_response(HTTPStatus.OK)
    answer.send_header("Content-Encoding", "gzip")
    answer.end_headers()
    answer.wfile.write(Path(answer.translate_path(answer.path)).read_bytes())


def script(words: str) -> bytes:
    """A program that prints `words`."""
    return f"#!/bin/sh\necho {words}\n".encode()


def archive(*names: str) -> bytes:
    """A compressed archive of scripts that print their file names."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name in names:
            content = script(Path(name).name)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@contextmanager
def served(folder: Path, tls: ssl.SSLContext | None = None) -> Iterator[Mirror]:
    """Run a mirror of `folder` during the block."""
    mirror = Mirror(folder)
    if tls:
        mirror.socket = tls.wrap_socket(mirror.socket, server_side=True)
    thread = threading.Thread(target=mirror.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield mirror
    finally:
        mirror.ended.set()
        mirror.shutdown()
        thread.join()
        mirror.server_close()
