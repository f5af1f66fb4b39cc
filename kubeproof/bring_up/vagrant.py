"""Vagrant, told which cluster is meant and where its machines run; its output comes as it is said."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import vagrant

from kubeproof.process import commands


class Place(Protocol):
    """The place where the machines run, as far as Vagrant must know it."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables that Vagrant is given there."""

    def command(self, *words: str) -> list[str]:
        """A command as it is run where the machines' network is."""


class Vagrant(vagrant.Vagrant):
    """The client for the Vagrantfile in `folder` with the spec in `spec_file`, which `python` can validate."""

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
        """Run a command of Vagrant's and give its lines as they come; the package's own streams can't be ended.

        Raises subprocess.CalledProcessError at the end if the status is not 0.
        """
        command = self._make_vagrant_command(list(arguments))
        process = subprocess.Popen(
            command,
            cwd=self.root,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._under_way.append(process)
        if self._is_ended:  # meanwhile, from another thread
            commands.end(process)
        yield from process.stdout or ()
        if process.wait() != 0:
            raise subprocess.CalledProcessError(process.returncode, command)

    def release(self, ports: Iterable[int]) -> None:
        """Take back Vagrant's leases of ports on loopback that nobody but this client forwards.

        Vagrant deletes its lease of a port when the port is forwarded. One that was killed does not, and the next
        refuses the port once, however old the lease is (handle_forwarded_port_collisions.rb, lease_check).
        """
        home = Path(self.env.get("VAGRANT_HOME", Path.home() / ".vagrant.d"))
        for port in ports:
            (home / "data" / "fp-leases" / f"127_0_0_1_{port}").unlink(missing_ok=True)

    def not_running(self) -> list[str]:
        """The machines that do not run; raises subprocess.CalledProcessError if Vagrant can't tell."""
        return [machine.name for machine in self.status() if machine.state != "running"]

    def end(self) -> None:
        """End the commands that are still under way: where one machine failed, others may wait for it for minutes."""
        self._is_ended = True
        for process in self._under_way:
            commands.end(process)

    def _make_vagrant_command(self, args: list[str | None]) -> list[str]:
        return commands.dying_with_us(*self._place.command(*super()._make_vagrant_command(args)))
