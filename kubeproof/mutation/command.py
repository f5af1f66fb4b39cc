"""What `kubeproof mutants` does: choose the mutants, run the gate, keep what was seen."""

import re
from collections.abc import Sequence
from pathlib import Path

import psutil

from kubeproof.mutation import gate, model, table
from kubeproof.mutation.table import Tally
from kubeproof.results.document import Document
from kubeproof.spec import load

SIDE_BY_SIDE = 3  # of a core's worth: with two, a third of it was idle


def run(
    cluster: Path,
    mutants: Path,
    tests: Sequence[Path],
    *,
    only: str,
    sample: bool,
    side_by_side: int,
    keep_cluster: bool,
    reports: Path,
    peer: gate.Peer | None = None,
) -> Tally:
    """Try the mutants that are asked for, `side_by_side` of them (0: as many as the cores bear), and write the table.

    Raises SpecError, MutantsError, BringUpFailed, LabFailed, CommandFailed or OSError.
    """

    def keep(name: str, seen: Document) -> None:
        folder = reports / "seen"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.json").write_text(seen.model_dump_json(indent=1))

    chosen = [one for one in model.load(mutants) if only in f"{one.file}: {one.name}" and (one.sample or not sample)]
    tally = gate.run(
        load(cluster),
        cluster.resolve(),
        chosen,
        tests=[str(path.resolve()) for path in tests],
        side_by_side=side_by_side or SIDE_BY_SIDE * (psutil.cpu_count() or 1),
        keep_cluster=keep_cluster,
        keep=keep,
        peer=peer,
    )
    table.write(tally, reports)
    return tally
