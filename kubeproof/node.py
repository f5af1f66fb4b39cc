"""One machine, entered over ssh: testinfra's view of it."""

from __future__ import annotations

import time
from pathlib import Path

import paramiko
import testinfra
from testinfra.backend.paramiko import ParamikoBackend
from testinfra.host import Host

CONNECT_SECONDS = 10


class Unreachable(Exception):
    """A machine, or a whole cluster, that can't be entered: nothing is known of it, so no check of it failed."""


_TURNED_AWAY: dict[tuple[str, Path], tuple[float, str]] = {}  # where nobody let us in, and until when that holds


def enter(name: str, ssh_config: Path) -> Host:
    """testinfra's host for the machine `name` of that ssh config, as root, on one kept connection.

    Raises Unreachable if it does not let us in within 15 s. Who had to wait for that is told at once for as long again,
    so that not each check of a silent machine waits.
    """
    until, said = _TURNED_AWAY.get((name, ssh_config), (0.0, ""))
    begun = time.monotonic()
    if begun < until:
        raise Unreachable(said)
    host = testinfra.get_host(f"paramiko://{name}", ssh_config=str(ssh_config), sudo=True, timeout=CONNECT_SECONDS)
    try:
        _knock(host.backend)
    except (OSError, EOFError, paramiko.SSHException) as error:
        said = f"{name} can't be entered over ssh: {error}. Is the machine up? Look with: ssh -F {ssh_config} {name}"
        waited = time.monotonic() - begun
        _TURNED_AWAY[name, ssh_config] = (begun + 2 * waited, said)
        raise Unreachable(said) from None
    return host


def _knock(backend: ParamikoBackend) -> None:
    """Open a session, on the kept connection if there is one; one that was cut, as by a reboot, is made anew."""
    kept = "client" in vars(backend)
    try:
        _transport(backend).open_session(timeout=CONNECT_SECONDS).close()
    except (EOFError, paramiko.SSHException):
        if not kept:
            raise
        backend.client.close()
        del backend.client
        _transport(backend).open_session(timeout=CONNECT_SECONDS).close()


def _transport(backend: ParamikoBackend) -> paramiko.Transport:
    transport: paramiko.Transport | None = backend.client.get_transport()
    assert transport is not None, "paramiko has connected, or raised"
    return transport


def http_status(host: Host, url: str) -> int:
    """The status by which a GET of `url` from the machine is answered; 0 where nobody answers within 5 s.

    Whose certificate it is is another matter.
    """
    command = "curl --insecure --silent --output /dev/null --max-time 5 --write-out '%{http_code}'"
    return int(host.run(f"{command} {url}").stdout)
