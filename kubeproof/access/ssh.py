"""Machines as testinfra hosts, each entered over one kept ssh connection."""

import threading
import time
from pathlib import Path

import testinfra
from testinfra.host import Host

from kubeproof.access.root_shell import RootShell, Unreachable

__all__ = ["Unreachable", "enter", "http_status", "second_connection"]

CONNECT_SECONDS = 10
# Kept by each process: a connection costs two files and a thread here, and three processes on the machine.
MOST_ENTERED = 64

_hosts: dict[tuple[str, Path], Host] = {}  # the last used is last
_hosts_lock = threading.Lock()
_failures: dict[tuple[str, Path], tuple[float, Unreachable]] = {}  # with the monotonic time at which each expires


def enter(name: str, ssh_config: Path) -> Host:
    """testinfra's host for the machine `name` of that ssh config, as root.

    The connections to the 64 machines used last are kept; any other machine is connected to again when it is used.

    Raises Unreachable if no connection comes about within 15 s; each command on the host raises it, too. A failed
    connection is remembered for as long as it took, so that later checks of a dead machine fail at once.
    """
    key = name, ssh_config
    expires, failure = _failures.get(key, (0.0, None))
    began = time.monotonic()
    if failure and began < expires:
        raise Unreachable(str(failure))
    host = _host(name, ssh_config)
    try:
        host.backend.connect()
    except Unreachable as error:
        now = time.monotonic()
        _failures[key] = (now + (now - began), error)
        raise
    return host


def _host(name: str, ssh_config: Path) -> Host:
    with _hosts_lock:
        host = _hosts.pop((name, ssh_config), None)
        if host is None:
            host = Host(RootShell(name, ssh_config=str(ssh_config), timeout=CONNECT_SECONDS))
            host.backend.set_host(host)
        _hosts[name, ssh_config] = host
        if len(_hosts) > MOST_ENTERED:
            _hosts.pop(next(iter(_hosts))).backend.leave()
        return host


def second_connection(host: Host) -> Host:
    """The same machine over another connection, for commands that run at the same time as those of `host`."""
    second: Host = testinfra.get_host(
        f"paramiko://{host.backend.hostname}", ssh_config=host.backend.ssh_config, sudo=True, timeout=CONNECT_SECONDS
    )
    second.check_output("true")
    return second


def http_status(host: Host, url: str) -> int:
    """The status of a GET of `url` from the machine, whatever the certificate; 0 without an answer within 5 s."""
    command = "curl --insecure --silent --output /dev/null --max-time 5 --write-out '%{http_code}'"
    return int(host.run(f"{command} {url}").stdout)
