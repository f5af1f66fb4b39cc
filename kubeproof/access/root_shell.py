"""A testinfra backend that keeps one root shell on a machine, and runs each command in a new child of that shell."""

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
CONNECTION_ERRORS = (OSError, EOFError, paramiko.SSHException)
logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # Unreachable reports the same without tracebacks


class Unreachable(Exception):
    """A machine, or a whole cluster, that can't be entered: its checks could not be judged, and none of them failed."""


class RootShell(ParamikoBackend):  # type: ignore[misc] # testinfra has no types
    """testinfra's paramiko backend, without a new ssh session and a new sudo for each command.

    Those two cost a machine many times as much as the command itself. Each command has its own shell, so it leaves
    nothing to the next one. A connection that turns out to be cut, as by a reboot, is opened again, once.
    """

    def connect(self) -> None:
        """Open the connection if it is not open; raises Unreachable."""
        try:
            if "_shell" not in self.__dict__:
                # Before Python 3.12, all instances share a cached property's lock: machines would wait for each other.
                for name in ("client", "_shell"):
                    if name not in self.__dict__:
                        self.__dict__[name] = getattr(type(self), name).func(self)
                self._exec_command(b"true")
        except CONNECTION_ERRORS as error:
            self.leave()
            raise self._unreachable(error) from None

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:  # noqa: ARG002 # the base's
        """Run the command to its end; raises Unreachable."""
        quoted = self.quote(command, *args)
        questions.note(self.hostname, quoted)
        line = self.encode(quoted)
        was_open = "_shell" in self.__dict__
        try:
            try:
                status, output, errors = self._exec_command(line)
            except CONNECTION_ERRORS:
                if not was_open:
                    raise
                status, output, errors = self._exec_command(line)
        except CONNECTION_ERRORS as error:
            raise self._unreachable(error) from None
        return self.result(status, line, output, errors)

    @functools.cached_property
    def _shell(self) -> paramiko.Channel:
        transport = self.client.get_transport()
        assert transport is not None
        # _exec_command reads stdout to its end before stderr: with a large window, neither stream blocks the command.
        channel: paramiko.Channel = transport.open_session(window_size=paramiko.common.MAX_WINDOW_SIZE)
        channel.settimeout(self.timeout)
        channel.exec_command("sudo /bin/sh")
        return channel

    def _exec_command(self, command: bytes) -> tuple[int, bytes, bytes]:
        end = f" {uuid.uuid4().hex} ".encode()
        quoted = shlex.quote(command.decode(self._encoding or "ascii")).encode(self._encoding or "ascii")
        print_end = b"printf '%%s%%d\\n' '%s' $?; printf '%%s\\n' '%s' >&2" % (end, end)
        try:
            with suppress(OSError):  # a shell that has ended: _read raises its last words
                self._shell.sendall(b"/bin/sh -c %s < /dev/null; %s\n" % (quoted, print_end))
            output, status = self._read(self._shell.recv, end)
            errors, _ = self._read(self._shell.recv_stderr, end)
        except BaseException:
            self.leave()  # so that the next command does not read the rest of this one's output
            raise
        return int(status), output, errors

    def _read(self, receive: Callable[[int], bytes], end: bytes) -> tuple[bytes, bytes]:
        """The output before `end`, and the rest of that line."""
        output = b""
        while not (output.endswith(b"\n") and end in output[-CHUNK:]):
            try:
                chunk = receive(CHUNK)
            except TimeoutError:
                # A command may take long, as long as its machine answers.
                self.client.get_transport().open_session(timeout=self.timeout).close()
                continue
            if not chunk:
                last_words = self._shell.recv_stderr(CHUNK) or output
                raise EOFError(last_words.decode(errors="replace").strip() or "the connection was cut")
            output += chunk
        before, _, after = output.rpartition(end)
        return before, after

    def leave(self) -> None:
        """Close the connection; the next command opens another."""
        for name in ("_shell", "client"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"{self.hostname} can't be entered over ssh: {error}. Is the machine up? "
            f"Look with: ssh -F {self.ssh_config} {self.hostname}"
        )
