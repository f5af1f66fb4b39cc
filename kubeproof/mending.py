"""Undoes by hand what a killed run left in, as the next run would before it judges."""

from __future__ import annotations

from pathlib import Path

from kubeproof import bring_up, faults, node
from kubeproof.existing import NO_SSH
from kubeproof.faults import Fault
from kubeproof.progress import Progress
from kubeproof.spec import Existing, Spec


class NotAllowed(Exception):
    """Nobody said by its name that the existing cluster may be changed."""


def mend(spec: Spec, allowed: str, progress: Progress) -> list[Fault]:
    """Undo every fault of the journal of an existing cluster, or of the one that is kept here; return them.

    Raises NotAllowed, faults.NotMended, node.Unreachable, or bring_up.BringUpFailed where the lab's state can't be had.
    """
    if isinstance(spec, Existing):
        if allowed != spec.name:
            raise NotAllowed(
                f"{spec.name} exists already: `--allow-disruption {spec.name}` lets its machines be mended"
            )
        return _mend(spec.ssh_config or NO_SSH, progress)
    with bring_up.holding_the_cluster(progress):
        cluster = bring_up.kept()
        return _mend(cluster.ssh_config, progress) if cluster else []


def _mend(ssh_config: Path, progress: Progress) -> list[Fault]:
    with progress.task("mending what a run left in"):
        return faults.mend_all(lambda name: node.enter(name, ssh_config), ssh_config)
