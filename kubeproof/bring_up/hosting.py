"""Where machines run: in the embedded lab, or on a hypervisor that this machine has."""

import subprocess
from collections import deque
from pathlib import Path
from typing import Protocol

from kubeproof.bring_up.vagrant import Place, Vagrant
from kubeproof.lab import box, cache, daemon, disk, doctor
from kubeproof.process import paths
from kubeproof.process.commands import COMMAND_NOT_FOUND, LAST_LINES, CommandFailed
from kubeproof.process.progress import Progress
from kubeproof.spec import Spec
from kubeproof.spec.wellknown import API_SERVER_PORT


class Hosting(Place, Protocol):
    """What differs between the two for whoever brings a cluster up."""

    def refuse_impossible(self, spec: Spec, file: Path) -> None:
        """Raise SpecError, with a line for each key, if no machines can be as `spec`, read from `file`, has them."""

    def made_of(self, spec: Spec) -> str:
        """What its machines are made of, as far as the spec does not say it."""

    def start(self, spec: Spec, progress: Progress) -> None:
        """Make ready for the machines; raises LabFailed, CommandFailed or OSError."""

    def api_server(self, spec: Spec) -> dict[str, str]:
        """How a kubeconfig here names the API server, once the machines are up."""

    def lacking(self, spec: Spec) -> str:
        """What this machine has come to lack, and what to do; empty if nothing is known."""

    def lost(self, client: Vagrant) -> list[str]:
        """What should run, and no longer does."""

    def end(self, client: Vagrant, progress: Progress) -> None:
        """End and remove the machines and all that start() made; raises CommandFailed if they can't be."""


class Lab:
    """The embedded lab: a network of its own, which a relay leads into."""

    @property
    def environment(self) -> dict[str, str]:
        """Its docker provider races with itself while it creates machines."""
        return {"KUBEPROOF_LAB_FILE": str(paths.state() / "lab.json"), "VAGRANT_NO_PARALLEL": "1"}

    def refuse_impossible(self, spec: Spec, file: Path) -> None:
        """It builds what it has recipes for."""
        daemon.refuse_impossible(spec, file)

    def made_of(self, spec: Spec) -> str:
        """The box that it builds."""
        return box.tag(spec)

    def start(self, spec: Spec, progress: Progress) -> None:
        """Build what is not cached, and start the daemon."""
        doctor.refuse_bad_machine(spec, progress)
        with disk.told_when_full(spec):
            daemon.start(spec, progress)

    def command(self, *words: str) -> list[str]:
        """Outside, Vagrant would find the machines' ssh ports taken by the relay."""
        return daemon.inside(*words)

    def api_server(self, spec: Spec) -> dict[str, str]:
        """The relay's end, whose certificate is the control plane's."""
        lab = daemon.running()
        assert lab is not None
        return {"server": f"https://127.0.0.1:{lab.api_port}", "tls-server-name": str(spec.control_plane.address)}

    def lacking(self, spec: Spec) -> str:
        """Room for what the machines write."""
        return disk.lacking(spec)

    def lost(self, client: Vagrant) -> list[str]:  # noqa: ARG002 # the protocol's
        """Processes of the lab."""
        lab = daemon.running()
        return [process.name for process in lab.processes if not process.is_running()] if lab else ["the lab"]

    def end(self, client: Vagrant, progress: Progress) -> None:  # noqa: ARG002 # the protocol's
        """The daemon's end is the machines'; what a killed build left goes as well."""
        daemon.stop(progress)
        cache.sweep()


class Hypervisor:
    """VirtualBox or libvirt, as Vagrant finds it: the machines are on the host's own network."""

    @property
    def environment(self) -> dict[str, str]:
        """Nothing more."""
        return {}

    def refuse_impossible(self, spec: Spec, file: Path) -> None:
        """What it can't make, Vagrant refuses."""

    def made_of(self, spec: Spec) -> str:
        """The box that the spec names."""
        return str(spec.machines.box)

    def start(self, spec: Spec, progress: Progress) -> None:
        """It runs already."""

    def command(self, *words: str) -> list[str]:
        """Nothing is in between."""
        return [*words]

    def api_server(self, spec: Spec) -> dict[str, str]:
        """The control plane's own address."""
        return {"server": f"https://{spec.control_plane.address}:{API_SERVER_PORT}"}

    def lacking(self, spec: Spec) -> str:  # noqa: ARG002 # the protocol's
        """The hypervisor keeps its machines where it is told to."""
        return ""

    def lost(self, client: Vagrant) -> list[str]:
        """Machines that do not run."""
        try:
            return client.not_running()
        except subprocess.CalledProcessError:
            return ["what Vagrant remembers of the machines"]

    def end(self, client: Vagrant, progress: Progress) -> None:
        """Vagrant destroys what it made."""
        said: deque[str] = deque(maxlen=LAST_LINES)
        with progress.task("vagrant destroy"):
            try:
                said.extend(client.stream("destroy", "--force"))
            except (subprocess.CalledProcessError, OSError) as error:
                how = f"ended with status {getattr(error, 'returncode', COMMAND_NOT_FOUND)}"
                raise CommandFailed(["vagrant", "destroy", "--force"], how, "".join(said) or str(error)) from None


def of(provider: str) -> Hosting:
    """Where machines of a spec's provider run."""
    return Lab() if provider == "docker" else Hypervisor()
