"""What `kubeproof mutants` does: choose the mutants, bring the cluster up, run the gate, write the table."""

import re
import threading
from collections.abc import Sequence
from pathlib import Path

import psutil

from kubeproof.bring_up import hosting, lifecycle, state
from kubeproof.mutation import model, table
from kubeproof.mutation.gate import Gate, Peer
from kubeproof.mutation.table import Tally
from kubeproof.mutation.trial import Testbed, cut_down
from kubeproof.process.commands import CommandFailed
from kubeproof.process.progress import Progress
from kubeproof.process.stopping import Stopping
from kubeproof.results.document import Document
from kubeproof.spec import load

SIDE_BY_SIDE = 3  # for each core: with two, a third of the core was idle


def run(
    spec_file: Path,
    mutants: Path,
    tests: Sequence[Path],
    *,
    only: str,
    sample: bool,
    side_by_side: int,
    keep_cluster: bool,
    reports: Path,
    peer: Peer | None = None,
) -> Tally:
    """Bring the cluster of the spec up, or take the kept one, try the chosen mutants beside it, and write the table.

    `side_by_side` is how many mutants are tried at a time; 0 stands for three a core.
    Raises SpecError, MutantsError, BringUpFailed, LabFailed, CommandFailed or OSError.
    """

    def keep(name: str, document: Document) -> None:
        folder = reports / "seen"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.json").write_text(document.model_dump_json(indent=1))

    chosen = [m for m in model.load(mutants) if only in f"{m.file}: {m.name}" and (m.sample or not sample)]
    spec, progress = cut_down(load(spec_file)), Progress()
    with Stopping(), state.holding_the_cluster(progress):
        try:
            cluster, _ = lifecycle.provide(spec, spec_file.resolve(), progress)
            place, files = hosting.of(spec.provider), [str(path.resolve()) for path in tests]
            testbed = Testbed(spec, cluster, place, state.VAGRANTFILE.parent, files, threading.Lock())
            testbed.sweep()
            gate = Gate(testbed, side_by_side or SIDE_BY_SIDE * (psutil.cpu_count() or 1), progress, keep, peer)
            tally = gate.run(chosen)
        finally:
            try:
                if not keep_cluster:
                    lifecycle.destroy(progress)
            except CommandFailed as error:
                progress.say(f"the cluster is still there; `kubeproof destroy` tries again: {error}")
    table.write(tally, reports)
    return tally
