"""Vagrant's client for one cluster; its output is streamed line by line."""

import os
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import vagrant

from kubeproof.process import commands


class Place(Protocol):
    """The place where the machines run, as far as Vagrant must know it; by default the host itself."""

    @property
    def environment(self) -> dict[str, str]:
        """Additional environment variables for Vagrant."""
        return {}

    def command(self, *words: str) -> list[str]:
        """Wrap a command so that it runs in the machines' network."""
        return [*words]


class Vagrant(vagrant.Vagrant):
    """The client for the Vagrantfile in `folder`; the interpreter `python` validates the spec in `spec_file`."""

    def __init__(self, folder: Path, spec_file: Path, python: str, place: Place) -> None:
        environment = {
            **os.environ,
            "KUBEPROOF_CLUSTER": str(spec_file),
            "KUBEPROOF_PYTHON": python,
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            **place.environment,
        }
        super().__init__(folder, env=environment)
        self._place = place
        self._under_way: list[subprocess.Popen[str]] = []
        self._is_ended = False

    def stream(self, *arguments: str) -> Iterator[str]:
        """Run a command of Vagrant's and yield its lines as they come; end() can end it, unlike the package's streams.

        Raises subprocess.CalledProcessError, with the last lines as its output, if the status is not 0.
        """
        command = self._make_vagrant_command(list(arguments))
        process = commands.start(command, cwd=self.root, env=self.env)
        self._under_way.append(process)
        if self._is_ended:  # another thread called end() meanwhile
            commands.end(process)
        last: deque[str] = deque(maxlen=commands.LAST_LINES)
        for line in process.stdout or ():
            last.append(line)
            yield line
        if process.wait() != 0:
            raise subprocess.CalledProcessError(process.returncode, command, "".join(last))

    def release(self, ports: Iterable[int]) -> None:
        """Delete Vagrant's leases of ports on loopback that only this client forwards.

        Vagrant deletes its lease of a port when the port is forwarded. A killed Vagrant does not, and the next one
        refuses the port once, however old the lease is (handle_forwarded_port_collisions.rb, lease_check).
        """
        home = Path(self.env.get("VAGRANT_HOME", Path.home() / ".vagrant.d"))
        for port in ports:
            (home / "data" / "fp-leases" / f"127_0_0_1_{port}").unlink(missing_ok=True)

    def not_running(self) -> list[str]:
        """The machines that do not run; raises subprocess.CalledProcessError if Vagrant can't report them."""
        return [machine.name for machine in self.status() if machine.state != "running"]

    def end(self) -> None:
        """End all commands that are under way: after one machine failed, others may wait for it for minutes."""
        self._is_ended = True
        for process in self._under_way:
            commands.end(process)

    def _make_vagrant_command(self, args: list[str | None]) -> list[str]:
        return commands.dying_with_us(*self._place.command(*super()._make_vagrant_command(args)))
