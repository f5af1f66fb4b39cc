"""Tries the mutants, several at a time, each on its own machine beside one living cluster."""

import datetime
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kubeproof.mutation.model import Mutant, MutantsError
from kubeproof.mutation.table import Tally
from kubeproof.mutation.trial import NotJudged, Testbed, Trial, tried
from kubeproof.mutation.verdict import Verdict, judge, name_of, without_results
from kubeproof.process.commands import threads
from kubeproof.process.progress import Progress
from kubeproof.results.document import Document
from kubeproof.spec import stated
from kubeproof.spec.scripts import CONTROL_PLANE, WORKER, Role

# Seconds for a machine to boot and be provisioned; kubeadm alone would try for minutes. Afterwards a mutant gets three
# times what the unchanged scripts took with judging, because more machines run side by side, and as long as those took
# to come to rest.
FIRST_PATIENCE, SHORTEST_PATIENCE, PATIENCE = 600.0, 60.0, 3

Keep = Callable[[str, Document], None]
"""Saves the results of the machine of that name."""
Peer = Callable[[Trial], list[str]]
"""Another suite, run on a machine that came up: returns the names of its failures."""


class Judged(NamedTuple):
    """The results of a machine, its seconds, kubeadm's complaints, and the peer's failures (None if not run)."""

    document: Document
    seconds: float
    preflight: set[str]
    by_peer: list[str] | None


class Gate:
    """Tries mutants of one set of scripts, `side_by_side` at a time."""

    def __init__(self, testbed: Testbed, side_by_side: int, progress: Progress, keep: Keep, peer: Peer | None) -> None:
        self._testbed = testbed
        self._side_by_side = side_by_side
        self._progress = progress
        self._keep = keep
        self._peer = peer
        self._under_way: set[Trial] = set()
        self._stopped = threading.Event()
        self._usual: set[str] = set()  # complaints of kubeadm and the peer about the unchanged scripts
        self._patience: dict[Role, float] = {WORKER: FIRST_PATIENCE, CONTROL_PLANE: FIRST_PATIENCE}

    def run(self, mutants: Sequence[Mutant]) -> Tally:
        """Try the unchanged scripts, then every mutant.

        Raises MutantsError if an edit does not fit, or if a check is red without any edit: no red would prove anything.
        """
        started = time.monotonic()
        for mutant in mutants:
            mutant.applied(self._source(mutant).read_text())
        judged = [mutant for mutant in mutants if not mutant.equivalent]
        roles: list[Role] = sorted({mutant.where for mutant in judged}, reverse=True)
        with self._pool() as pool:
            controls = [pool.submit(self._try, number, None, role) for number, role in enumerate(roles)]
            seconds: dict[str, float] = {
                role: self._accept(role, control.result) for role, control in zip(roles, controls, strict=True)
            }
            # Control planes take longest and go first, so that none is left to the end.
            order = sorted(judged, key=lambda mutant: mutant.where != CONTROL_PLANE)
            futures = {
                mutant.name: pool.submit(self._verdict, number, mutant)
                for number, mutant in enumerate(order, start=len(roles))
            }
            verdicts = [
                without_results(mutant, "equivalent", mutant.equivalent)
                if mutant.equivalent
                else futures[mutant.name].result()
                for mutant in mutants
            ]
        return Tally(
            at=datetime.datetime.now(datetime.UTC),
            seconds=round(time.monotonic() - started, 1),
            side_by_side=self._side_by_side,
            controls=seconds,
            verdicts=verdicts,
        )

    def _source(self, mutant: Mutant) -> Path:
        script = stated(self._testbed.spec.scripts) / mutant.file
        return script if script.exists() else self._testbed.provision / mutant.file

    @contextmanager
    def _pool(self) -> Iterator[ThreadPoolExecutor]:
        """Threads whose trials are ended if the block raises."""
        with threads(self._side_by_side) as pool:
            try:
                yield pool
            except BaseException:
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                for trial in [*self._under_way]:
                    trial.end()
                raise

    def _try(self, number: int, mutant: Mutant | None, where: Role) -> Judged:
        started = time.monotonic()
        with tried(self._testbed, number, mutant, where) as trial:
            self._under_way.add(trial)
            try:
                if self._stopped.is_set():
                    trial.end()
                patience = self._patience[where]
                failure = trial.bring_up(patience)
                document = trial.judge(failure, patience / PATIENCE)
                seconds = time.monotonic() - started
                by_peer = self._peer(trial) if self._peer and not failure else None
                return Judged(document, seconds, trial.preflight, by_peer)
            finally:
                self._under_way.discard(trial)

    def _accept(self, where: Role, result: Callable[[], Judged]) -> float:
        try:
            document, seconds, preflight, by_peer = result()
        except NotJudged as error:
            raise MutantsError(f"a {where} of the unchanged scripts could not be judged:\n{error}") from None
        self._usual |= {*preflight, *(by_peer or [])}
        self._patience[where] = max(SHORTEST_PATIENCE, PATIENCE * seconds)
        self._keep(f"unchanged {where}", document)
        if document.wrong:
            red = ", ".join(sorted({name_of(result) for result in document.wrong}))
            raise MutantsError(f"the unchanged scripts make a {where} that is not proved ({red}): correct that first")
        self._progress.say(f"unchanged scripts, {where}: proved, {len(document.results)} checks, {seconds:.0f} s")
        return round(seconds, 1)

    def _verdict(self, number: int, mutant: Mutant) -> Verdict:
        try:
            document, seconds, preflight, by_peer = self._try(number, mutant, mutant.where)
        except NotJudged as error:
            self._progress.say(f"not judged: {mutant.file}: {mutant.name}:\n{error}")
            return without_results(mutant, "not judged", str(error))
        self._keep(mutant.name, document)
        verdict = judge(mutant, document, seconds, preflight - self._usual)
        if by_peer is not None:
            verdict.by_peer = [failure for failure in by_peer if failure not in self._usual]
        named = f"{verdict.red[0]} ({verdict.blamed})" if verdict.red else "nothing is red"
        self._progress.say(f"{verdict.kind}: {mutant.file}: {mutant.name}: {named}, {seconds:.0f} s")
        return verdict
