"""Faults that experiments make on machines, and the journal by which each is mended, also by a later run.

A fault goes in over ssh, on the machine, never through the API that it may break. Its undoing is on disk before the
fault is made, and is taken off only when the mending is proved.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel
from testinfra.host import Host

from kubeproof.access.machine import Unreachable
from kubeproof.process import paths
from kubeproof.process.fingerprint import fingerprint
from kubeproof.results.steps import BringUpFailed


class Fault(BaseModel):
    """A fault and its undoing, as shell commands on one machine; undoing twice must do no harm.

    `halts` says that the machine may be found off: whoever made it is to start it first.
    """

    name: str
    node: str
    make: str
    mend: str
    halts: bool = False


class Provider(Protocol):
    """The program that made the machines, as far as experiments need it; each call raises BringUpFailed."""

    def start(self, node: str) -> None:
        """Start a machine if it does not run."""

    def reboot(self, node: str) -> None:
        """Halt a machine and start it again."""

    def provision_again(self) -> None:
        """Run every script once more on every machine."""


class NotMended(Unreachable):
    """A machine did not do what mends it: the fault is still in, and in the journal; its cluster can't be judged."""


def journal(ssh_config: Path | None = None) -> Path:
    """The folder of the faults that are in, in machines that are entered by that ssh config.

    Those of the cluster that was brought up here have the first one; each cluster that exists already has its own.
    """
    ours = ssh_config is None or ssh_config.parent == paths.state()
    return paths.state() / "faults" / ("" if ours else fingerprint(str(ssh_config)))


@contextmanager
def made(fault: Fault, host: Host, *, is_in: Callable[[], object], is_mended: Callable[[], object]) -> Iterator[None]:
    """Make the fault, prove it in, and on every way out mend it and prove it mended.

    `is_in` and `is_mended` wait for the proof and raise if it does not come.
    """
    ssh_config = getattr(host.backend, "ssh_config", None)
    entry = journal(Path(ssh_config) if ssh_config else None) / f"{fault.node}-{fault.name.replace(' ', '-')}.json"
    entry.parent.mkdir(parents=True, exist_ok=True)
    paths.write_whole(entry, fault.model_dump_json())
    try:
        host.check_output(fault.make)
        is_in()
        yield
    finally:
        host.check_output(fault.mend)
        is_mended()
        entry.unlink(missing_ok=True)


def mend_all(
    enter: Callable[[str], Host], provider: Provider, ssh_config: Path | None = None, node: str = ""
) -> list[Fault]:
    """Undo the faults that a killed run left in, on one node or on all, and return them.

    `enter` gives the host of a node, of the machines that are entered by `ssh_config`; `provider` starts those that may
    be off. Raises NotMended, or machine.Unreachable.
    """
    left = {entry: fault for entry, fault in _entries(ssh_config).items() if node in ("", fault.node)}
    for entry, fault in left.items():
        try:
            if fault.halts:
                provider.start(fault.node)
            enter(fault.node).check_output(fault.mend)
        except (BringUpFailed, AssertionError) as error:  # testinfra's, for a command that did not end well
            raise NotMended(
                f"{fault.name} on {fault.node}, which a run left in, can't be mended: {error}. The next run tries again"
            ) from None
        entry.unlink()
    return [*left.values()]


def left_in(ssh_config: Path) -> list[Fault]:
    """What an earlier run left in."""
    return [*_entries(ssh_config).values()]


def _entries(ssh_config: Path | None) -> dict[Path, Fault]:
    files = sorted(journal(ssh_config).glob("*.json"))
    return {file: Fault.model_validate_json(file.read_text()) for file in files}


def forget() -> None:
    """Drop the journal: its machines are no more."""
    for entry in journal().glob("*.json"):
        entry.unlink()
