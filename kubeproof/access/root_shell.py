"""A way into a machine for testinfra: one shell of root's that is kept, and in which every command is run anew."""

import functools
import logging
import shlex
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import paramiko
from testinfra.backend.base import CommandResult
from testinfra.backend.paramiko import ParamikoBackend

from kubeproof.access import questions

CHUNK = 1 << 16
logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # Unreachable says it, without the traces of its threads


class Unreachable(Exception):
    """A machine, or a whole cluster, that can't be entered: nothing is known of it, so no check of it failed."""


class RootShell(ParamikoBackend):  # type: ignore[misc] # testinfra has no types
    """testinfra's paramiko backend, without a session of sshd's and one of sudo's for each command.

    Those two cost a machine many times what a command itself does. A command still has a shell of its own, so nothing
    of one is left for the next. A connection that turns out to be cut, as by a reboot, is made anew, once.
    """

    def connect(self) -> None:
        """Be let in, if that was not yet so; raises Unreachable."""
        try:
            if "_shell" not in self.__dict__:
                # Before Python 3.12 a cached property has one lock for all: machines would wait for each other.
                for kept in ("client", "_shell"):
                    if kept not in self.__dict__:
                        self.__dict__[kept] = getattr(type(self), kept).func(self)
                self._exec_command(b"true")
        except (OSError, EOFError, paramiko.SSHException) as error:
            self.leave()
            raise self._unreachable(error) from None

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:  # noqa: ARG002 # the base's
        """Run the command to its end; raises Unreachable."""
        asked = self.quote(command, *args)
        questions.note(self.hostname, asked)
        line = self.encode(asked)
        was_in = "_shell" in self.__dict__
        try:
            try:
                done = self._exec_command(line)
            except (OSError, EOFError, paramiko.SSHException):
                if not was_in:
                    raise
                done = self._exec_command(line)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._unreachable(error) from None
        status, output, errors = done
        return self.result(status, line, output, errors)

    @functools.cached_property
    def _shell(self) -> paramiko.Channel:
        transport = self.client.get_transport()
        assert transport is not None
        # One stream is read to its end before the other: neither may hold the command up.
        channel: paramiko.Channel = transport.open_session(window_size=paramiko.common.MAX_WINDOW_SIZE)
        channel.settimeout(self.timeout)
        channel.exec_command("sudo /bin/sh")
        return channel

    def _exec_command(self, command: bytes) -> tuple[int, bytes, bytes]:
        end = f" {uuid.uuid4().hex} ".encode()
        quoted = shlex.quote(command.decode(self._encoding or "ascii")).encode(self._encoding or "ascii")
        say_end = b"printf '%%s%%d\\n' '%s' $?; printf '%%s\\n' '%s' >&2" % (end, end)
        try:
            with suppress(OSError):  # it has ended: what it said then is read below
                self._shell.sendall(b"/bin/sh -c %s < /dev/null; %s\n" % (quoted, say_end))
            output, status = self._read(self._shell.recv, end)
            errors, _ = self._read(self._shell.recv_stderr, end)
        except BaseException:
            # Whatever it still says is none of the next command's.
            self.leave()
            raise
        return int(status), output, errors

    def _read(self, receive: Callable[[int], bytes], end: bytes) -> tuple[bytes, bytes]:
        """What is said up to `end`, and the rest of its line."""
        said = b""
        while not (said.endswith(b"\n") and end in said[-CHUNK:]):
            try:
                chunk = receive(CHUNK)
            except TimeoutError:
                # A command may take its time, as long as its machine is there.
                self.client.get_transport().open_session(timeout=self.timeout).close()
                continue
            if not chunk:
                last_words = self._shell.recv_stderr(CHUNK) or said
                raise EOFError(last_words.decode(errors="replace").strip() or "the connection was cut")
            said += chunk
        before, _, after = said.rpartition(end)
        return before, after

    def leave(self) -> None:
        """Give the connection up; the next command makes another."""
        for kept in ("_shell", "client"):
            if kept in self.__dict__:
                self.__dict__.pop(kept).close()

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"{self.hostname} can't be entered over ssh: {error}. Is the machine up? "
            f"Look with: ssh -F {self.ssh_config} {self.hostname}"
        )
