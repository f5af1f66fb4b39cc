"""One machine, entered over ssh: testinfra's view of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import paramiko
from testinfra.backend.base import CommandResult
from testinfra.host import Host

CONNECT_SECONDS = 10


class Unreachable(Exception):
    """A machine, or a whole cluster, that can't be entered: nothing is known of it, so no check of it failed."""


@dataclass(frozen=True)
class Question:
    """A command, and the machine that it was run on as root."""

    machine: str = ""
    command: str = ""


class _Thread(threading.local):
    """What each thread asked last; an experiment's watch asks in its own."""

    question = Question()


_THREAD = _Thread()


class Machine(Host):
    """testinfra's host, which notes what it is asked: a report says how to ask again."""

    def run(self, command: str, *args: str, **kwargs: object) -> CommandResult:
        """As Host.run."""
        _THREAD.question = Question(self.backend.get_hostname(), self.backend.quote(command, *args))
        return super().run(command, *args, **kwargs)


def last_question() -> Question:
    """What any machine was asked last since `forget_questions`, by this thread."""
    return _THREAD.question


def forget_questions() -> None:
    """From here on, nothing was asked by this thread."""
    _THREAD.question = Question()


def enter(name: str, ssh_config: Path) -> Host:
    """testinfra's host for the machine `name` of that ssh config, as root, on one kept connection.

    Raises Unreachable if it does not let us in within 10 s.
    """
    host = Machine.get_host(f"paramiko://{name}", ssh_config=str(ssh_config), sudo=True, timeout=CONNECT_SECONDS)
    before = last_question()
    try:
        host.check_output("true")
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise Unreachable(
            f"{name} can't be entered over ssh: {error}. Is the machine up? Look with: ssh -F {ssh_config} {name}"
        ) from None
    finally:
        _THREAD.question = before
    return host


def http_status(host: Host, url: str) -> int:
    """The status by which a GET of `url` from the machine is answered; 0 where nobody answers within 5 s.

    Whose certificate it is is another matter.
    """
    command = "curl --insecure --silent --output /dev/null --max-time 5 --write-out '%{http_code}'"
    return int(host.run(f"{command} {url}").stdout)
