"""Undoes the faults that a killed run left in, outside a run, for `kubeproof mend`."""

from pathlib import Path

from kubeproof.access.existing import NO_SSH
from kubeproof.access.ssh import enter
from kubeproof.bring_up import lifecycle, state
from kubeproof.experiments import faults
from kubeproof.experiments.faults import Fault
from kubeproof.process.progress import Progress
from kubeproof.spec import Existing, Spec


class NotAllowed(Exception):
    """The person did not allow changes to the existing cluster by its name."""


def mend(spec: Spec, allowed: str, progress: Progress) -> list[Fault]:
    """Undo and return every fault in the journal: of the existing cluster `allowed`, or of the kept cluster.

    Raises NotAllowed, faults.NotMended, ssh.Unreachable, or BringUpFailed if the lab's state can't be locked.
    """
    if isinstance(spec, Existing):
        if allowed != spec.name:
            raise NotAllowed(
                f"{spec.name} exists already: `--allow-disruption {spec.name}` lets its machines be mended"
            )
        return _mend(spec.ssh_config or NO_SSH, progress)
    with state.holding_the_cluster(progress):
        cluster = state.kept()
        return _mend(cluster.ssh_config, progress) if cluster else []


def _mend(ssh_config: Path, progress: Progress) -> list[Fault]:
    with progress.task("mending the faults that a run left in"):
        return faults.mend_all(lambda name: enter(name, ssh_config), lifecycle, ssh_config)
