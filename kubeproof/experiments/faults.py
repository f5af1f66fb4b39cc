"""Faults on machines, and the journal from which a run mends its own faults and those of a killed run.

A fault goes in over ssh, never through the API, which it may break. The journal on disk contains how to mend it, from
before the fault is made until the mending is proved.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel
from testinfra.host import Host

from kubeproof.access.ssh import Unreachable
from kubeproof.process import paths
from kubeproof.process.fingerprint import fingerprint
from kubeproof.results.steps import BringUpFailed


class Fault(BaseModel):
    """A fault and its mending, as shell commands on one machine; mending twice must do no harm.

    `halts`: the fault may leave the machine off, so that the provider must start it before it can be mended.
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
    """A command that mends a fault failed: the fault is still in, and in the journal; its cluster can't be judged."""


def journal(ssh_config: Path | None = None) -> Path:
    """The folder of faults: one for the cluster that this checkout brings up, one for each other ssh config."""
    is_own = ssh_config is None or ssh_config.parent == paths.state()
    return paths.state() / "faults" / ("" if is_own else fingerprint(str(ssh_config)))


@contextmanager
def injected(
    fault: Fault, host: Host, *, is_in: Callable[[], object], is_mended: Callable[[], object]
) -> Iterator[None]:
    """Make the fault and prove it in; on every way out, mend it and prove it mended.

    `is_in` and `is_mended` wait for the proof and raise if it does not come.
    """
    ssh_config = getattr(host.backend, "ssh_config", None)
    entry = _entry(fault, Path(ssh_config) if ssh_config else None)
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
    """Mend the faults that a killed run left, on one node or on all, and return them.

    `enter` enters a machine of `ssh_config` by node name; `provider` starts machines that may be off.
    Raises NotMended, or ssh.Unreachable.
    """
    left = [fault for fault in left_in(ssh_config) if node in ("", fault.node)]
    for fault in left:
        try:
            if fault.halts:
                provider.start(fault.node)
            enter(fault.node).check_output(fault.mend)
        except (BringUpFailed, AssertionError) as error:  # testinfra raises the latter for a failed command
            raise NotMended(
                f"{fault.name} on {fault.node}, which a run left in, can't be mended: {error}. The next run tries again"
            ) from None
        _entry(fault, ssh_config).unlink()
    return left


def left_in(ssh_config: Path | None) -> list[Fault]:
    """The faults that an earlier run left, in the machines of that ssh config."""
    return [Fault.model_validate_json(file.read_text()) for file in sorted(journal(ssh_config).glob("*.json"))]


def _entry(fault: Fault, ssh_config: Path | None) -> Path:
    return journal(ssh_config) / f"{fault.node}-{fault.name.replace(' ', '-')}.json"


def forget() -> None:
    """Delete the journal of the cluster that this checkout brought up: its machines are destroyed."""
    for entry in journal().glob("*.json"):
        entry.unlink()
