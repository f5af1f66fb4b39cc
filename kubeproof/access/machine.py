"""One machine, entered over ssh: testinfra's view of it."""

import threading
import time
from pathlib import Path

import testinfra
from testinfra.host import Host

from kubeproof.access.root_shell import RootShell, Unreachable

__all__ = ["Unreachable", "enter", "http_status"]

CONNECT_SECONDS = 10
MOST_ENTERED = 64  # at a time, by each process: a connection has two files, a thread, and three processes over there

_entered: dict[tuple[str, Path], Host] = {}  # who was asked last is last
_one_at_a_time = threading.Lock()
_turned_away: dict[
    tuple[str, Path], tuple[float, Unreachable]
] = {}  # where nobody let us in, and until when that holds


def enter(name: str, ssh_config: Path) -> Host:
    """testinfra's host for the machine `name` of that ssh config, as root, on one kept connection.

    Of many machines only the last 64 are kept; who comes back to another one is let in anew.

    Raises Unreachable if it does not let us in within 15 s, as every command does that can't be run there. Who had to
    wait for that is told at once for as long again, so that not each check of a silent machine waits.
    """
    until, said = _turned_away.get((name, ssh_config), (0.0, None))
    begun = time.monotonic()
    if said and begun < until:
        raise Unreachable(str(said))
    host = _host(name, ssh_config)
    try:
        host.backend.connect()
    except Unreachable as error:
        now = time.monotonic()
        _turned_away[name, ssh_config] = (now + (now - begun), error)
        raise
    return host


def _host(name: str, ssh_config: Path) -> Host:
    with _one_at_a_time:
        host = _entered.pop((name, ssh_config), None)
        if host is None:
            host = Host(RootShell(name, ssh_config=str(ssh_config), timeout=CONNECT_SECONDS))
            host.backend.set_host(host)
        _entered[name, ssh_config] = host
        if len(_entered) > MOST_ENTERED:
            _entered.pop(next(iter(_entered))).backend.leave()
        return host


def second_connection(host: Host) -> Host:
    """The same machine on another connection, for commands that run at the same time as others: each has a session."""
    way: Host = testinfra.get_host(
        f"paramiko://{host.backend.hostname}", ssh_config=host.backend.ssh_config, sudo=True, timeout=CONNECT_SECONDS
    )
    way.check_output("true")
    return way


def http_status(host: Host, url: str) -> int:
    """The status by which a GET of `url` from the machine is answered; 0 where nobody answers within 5 s.

    Whose certificate it is is another matter.
    """
    command = "curl --insecure --silent --output /dev/null --max-time 5 --write-out '%{http_code}'"
    return int(host.run(f"{command} {url}").stdout)
