"""One machine, entered over ssh: testinfra's view of it."""

from __future__ import annotations

import functools
from pathlib import Path

from testinfra.host import Host

from kubeproof.root_shell import RootShell, Unreachable

__all__ = ["Unreachable", "enter", "http_status"]

CONNECT_SECONDS = 10


def enter(name: str, ssh_config: Path) -> Host:
    """testinfra's host for the machine `name` of that ssh config, as root, on one kept connection.

    Raises Unreachable if it does not let us in within 10 s, as every command does that can't be run there.
    """
    host = _host(name, ssh_config)
    host.backend.connect()
    return host


@functools.cache
def _host(name: str, ssh_config: Path) -> Host:
    host = Host(RootShell(name, ssh_config=str(ssh_config), timeout=CONNECT_SECONDS))
    host.backend.set_host(host)
    return host


def http_status(host: Host, url: str) -> int:
    """The status by which a GET of `url` from the machine is answered; 0 where nobody answers within 5 s.

    Whose certificate it is is another matter.
    """
    command = "curl --insecure --silent --output /dev/null --max-time 5 --write-out '%{http_code}'"
    return int(host.run(f"{command} {url}").stdout)
