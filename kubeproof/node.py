"""One machine, entered over ssh: testinfra's view of it."""

from __future__ import annotations

from pathlib import Path

import paramiko
import testinfra
from testinfra.host import Host

CONNECT_SECONDS = 10


class Unreachable(Exception):
    """A machine, or a whole cluster, that can't be entered: nothing is known of it, so no check of it failed."""


def enter(name: str, ssh_config: Path) -> Host:
    """testinfra's host for the machine `name` of that ssh config, as root, on one kept connection.

    Raises Unreachable if it does not let us in within 10 s.
    """
    host = testinfra.get_host(f"paramiko://{name}", ssh_config=str(ssh_config), sudo=True, timeout=CONNECT_SECONDS)
    try:
        host.check_output("true")
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise Unreachable(
            f"{name} can't be entered over ssh: {error}. Is the machine up? Look with: ssh -F {ssh_config} {name}"
        ) from None
    return host


def http_status(host: Host, url: str) -> int:
    """The status by which a GET of `url` from the machine is answered; 0 where nobody answers within 5 s.

    Whose certificate it is is another matter.
    """
    command = "curl --insecure --silent --output /dev/null --max-time 5 --write-out '%{http_code}'"
    return int(host.run(f"{command} {url}").stdout)
