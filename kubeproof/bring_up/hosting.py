"""Where machines run: in the embedded lab, or on a hypervisor of this machine."""

import subprocess
from collections import deque
from pathlib import Path
from typing import Protocol

from kubeproof.bring_up.vagrant import Place, Vagrant
from kubeproof.lab import box, cache, daemon, disk, doctor, host
from kubeproof.lab.state import running as running_lab
from kubeproof.process import paths
from kubeproof.process.commands import CommandFailed
from kubeproof.process.progress import Progress
from kubeproof.spec import Spec
from kubeproof.spec.wellknown import API_SERVER_PORT


class Hosting(Place, Protocol):
    """What a run needs of the place where machines run; by default there is nothing to prepare or to refuse."""

    def refuse_impossible(self, spec: Spec, file: Path) -> None:
        """Raise SpecError, with a line for each key of `file`, if no machines can be made for `spec`."""
        del spec, file  # Vagrant itself refuses machines that its provider can't make

    def box_of(self, spec: Spec) -> str:
        """The identity of the machines' image, as far as the spec alone does not determine it."""

    def start(self, spec: Spec, progress: Progress) -> None:
        """Prepare for the machines; raises LabFailed, CommandFailed or OSError."""
        del spec, progress  # a hypervisor already runs

    def api_server(self, spec: Spec) -> dict[str, str]:
        """The kubeconfig entries that lead from here to the API server, once the machines are up."""

    def lacking(self, spec: Spec) -> str:
        """The resource that this machine has run out of, and what to do; empty if none is known."""
        del spec  # a hypervisor's disks may be anywhere
        return ""

    def lost(self, client: Vagrant) -> list[str]:
        """The machines or processes that should run and do not."""

    def end(self, client: Vagrant, progress: Progress) -> None:
        """End and remove the machines and the results of start(); raises CommandFailed if that fails."""


class Lab(Hosting):
    """The embedded lab: its own network, which a relay connects to this machine's loopback."""

    @property
    def environment(self) -> dict[str, str]:
        """No parallel machines: Vagrant's docker provider has races when it creates them."""
        return {"KUBEPROOF_LAB_FILE": str(paths.state() / "lab.json"), "VAGRANT_NO_PARALLEL": "1"}

    def command(self, *words: str) -> list[str]:
        """Vagrant runs inside the lab's network: outside, the relay already listens on the ssh ports."""
        return host.inside(*words)

    def refuse_impossible(self, spec: Spec, file: Path) -> None:
        """The lab needs a recipe for every component."""
        daemon.refuse_impossible(spec, file)

    def box_of(self, spec: Spec) -> str:
        """The tag of the box that the lab builds."""
        return box.tag(spec)

    def start(self, spec: Spec, progress: Progress) -> None:
        """Build the components that are not cached, and start the daemon."""
        doctor.refuse_bad_machine(spec, progress)
        with disk.explaining_full_disk(spec):
            daemon.start(spec, progress)

    def api_server(self, spec: Spec) -> dict[str, str]:
        """The relay's end; the API server's certificate names the control plane's address."""
        lab = running_lab()
        assert lab is not None
        return {"server": f"https://127.0.0.1:{lab.api_port}", "tls-server-name": str(spec.control_plane.address)}

    def lacking(self, spec: Spec) -> str:
        """Disk space for the machines."""
        return disk.lacking(spec)

    def lost(self, client: Vagrant) -> list[str]:  # noqa: ARG002 # the protocol's
        """Processes of the lab."""
        lab = running_lab()
        return [process.name for process in lab.processes if not process.is_running()] if lab else ["the lab"]

    def end(self, client: Vagrant, progress: Progress) -> None:  # noqa: ARG002 # the protocol's
        """Stop the daemon, which ends the machines, and remove remains of killed builds."""
        daemon.stop(progress)
        cache.sweep()


class Hypervisor(Hosting):
    """VirtualBox or libvirt, as Vagrant finds it: it already runs, and its machines are on the host's own network."""

    def box_of(self, spec: Spec) -> str:
        """The box that the spec names."""
        return str(spec.machines.box)

    def api_server(self, spec: Spec) -> dict[str, str]:
        """The control plane's own address."""
        return {"server": f"https://{spec.control_plane.address}:{API_SERVER_PORT}"}

    def lost(self, client: Vagrant) -> list[str]:
        """Machines that Vagrant does not report as running."""
        try:
            return client.not_running()
        except subprocess.CalledProcessError:
            return ["Vagrant's record of the machines"]

    def end(self, client: Vagrant, progress: Progress) -> None:
        """Let Vagrant destroy its machines."""
        command = ["destroy", "--force"]
        try:
            with progress.task("vagrant destroy"):
                deque(client.stream(*command), maxlen=0)
        except subprocess.CalledProcessError as error:
            raise CommandFailed(["vagrant", *command], f"ended with status {error.returncode}", error.output) from None
        except OSError as error:
            raise CommandFailed(["vagrant", *command], "did not start", str(error)) from None


def of(provider: str) -> Hosting:
    """The hosting of a spec's provider."""
    return Lab() if provider == "docker" else Hypervisor()
