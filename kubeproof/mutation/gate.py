"""Runs the mutants: one living cluster, and a machine beside it for each, several at a time."""

import datetime
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kubeproof.bring_up import hosting, lifecycle, state
from kubeproof.mutation.model import Mutant, MutantsError, Role
from kubeproof.mutation.table import Tally
from kubeproof.mutation.trial import Bench, NotJudged, Trial, cut_down, tried
from kubeproof.mutation.verdict import Verdict, equivalent, judge, name_of, not_judged
from kubeproof.process.commands import CommandFailed, threads
from kubeproof.process.progress import Progress
from kubeproof.process.stopping import Stopping
from kubeproof.results.document import Document
from kubeproof.spec import Spec, stated

# Seconds for a machine to boot and be provisioned: kubeadm alone would try for minutes. What the scripts as they are
# take for all of it, judging included, a mutant has three times over, since more go side by side; and once more to come
# to rest.
FIRST_PATIENCE, SHORTEST_PATIENCE, PATIENCE = 600.0, 60.0, 3


Peer = Callable[[Trial], list[str]]
"""Another suite, asked of a machine that came up: the names of what it found wrong."""


class Seen(NamedTuple):
    """What was seen of a machine, what it took, what kubeadm had said, and what the peer finds; None if not asked."""

    seen: Document
    seconds: float
    preflight: set[str]
    by_peer: list[str] | None


class Gate:
    """The mutants of one set of scripts, tried `side_by_side` at a time on the cluster of `bench`."""

    def __init__(self, bench: Bench, side_by_side: int, progress: Progress, peer: Peer | None = None) -> None:
        self._bench = bench
        self._peer = peer
        self._side_by_side = side_by_side
        self._progress = progress
        self._under_way: set[Trial] = set()
        self._stopped = threading.Event()
        self._usual: set[str] = set()  # what kubeadm and the peer say of the scripts as they are
        self._patience: dict[Role, float] = {"worker": FIRST_PATIENCE, "control-plane": FIRST_PATIENCE}

    def run(self, mutants: Sequence[Mutant], keep: Callable[[str, Document], None]) -> Tally:
        """Try the scripts as they are, then every mutant; `keep` is told what was seen of each.

        Raises MutantsError if an edit does not fit, or if the checks are red without any edit: they prove nothing then.
        """
        started = time.monotonic()
        for mutant in mutants:
            mutant.applied((self._source(mutant)).read_text())
        judged = [mutant for mutant in mutants if not mutant.equivalent]
        kinds: list[Role] = sorted({mutant.where for mutant in judged}, reverse=True)
        with self._pool() as pool:
            controls = [pool.submit(self._try, number, None, kind) for number, kind in enumerate(kinds)]
            seconds: dict[str, float] = {
                kind: self._accept(kind, future, keep) for kind, future in zip(kinds, controls, strict=True)
            }
            # The long ones first, so that none is left to the end.
            order = sorted(judged, key=lambda mutant: mutant.where != "control-plane")
            futures = {
                mutant.name: pool.submit(self._verdict, number, mutant, keep)
                for number, mutant in enumerate(order, start=len(kinds))
            }
            verdicts = [futures[one.name].result() if one.name in futures else equivalent(one) for one in mutants]
        return Tally(
            at=datetime.datetime.now(datetime.UTC),
            seconds=round(time.monotonic() - started, 1),
            side_by_side=self._side_by_side,
            controls=seconds,
            verdicts=verdicts,
        )

    def _source(self, mutant: Mutant) -> Path:
        scripts = stated(self._bench.spec.scripts) / mutant.file
        return scripts if scripts.exists() else self._bench.provision / mutant.file

    @contextmanager
    def _pool(self) -> Iterator[ThreadPoolExecutor]:
        """Threads that end what they have under way on every way out, before this ends."""
        with threads(self._side_by_side) as pool:
            try:
                yield pool
            except BaseException:
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                for trial in [*self._under_way]:
                    trial.end()
                raise

    def _try(self, number: int, mutant: Mutant | None, where: Role) -> Seen:
        started = time.monotonic()
        with tried(self._bench, number, mutant, where) as (trial, spec):
            self._under_way.add(trial)
            try:
                if self._stopped.is_set():
                    trial.end()
                patience = self._patience[where]
                failure = trial.bring_up(patience)
                seen, preflight = trial.judge(spec, failure, where, patience / PATIENCE), trial.preflight
                seconds = time.monotonic() - started
                by_peer = self._peer(trial) if self._peer and not failure else None
            finally:
                self._under_way.discard(trial)
        return Seen(seen, seconds, preflight, by_peer)

    def _accept(self, where: Role, future: Future[Seen], keep: Callable[[str, Document], None]) -> float:
        try:
            seen, seconds, preflight, by_peer = future.result()
        except NotJudged as error:
            raise MutantsError(f"a {where} of the scripts as they are could not be judged:\n{error}") from None
        self._usual |= {*preflight, *(by_peer or [])}
        self._patience[where] = max(SHORTEST_PATIENCE, PATIENCE * seconds)
        keep(f"unchanged {where}", seen)
        if seen.wrong:
            red = ", ".join(sorted({name_of(one) for one in seen.wrong}))
            raise MutantsError(f"the scripts as they are make a {where} that is not proved ({red}): mend that first")
        self._progress.say(f"unchanged scripts, {where}: proved, {len(seen.results)} checks, {seconds:.0f} s")
        return round(seconds, 1)

    def _verdict(self, number: int, mutant: Mutant, keep: Callable[[str, Document], None]) -> Verdict:
        try:
            seen, seconds, preflight, by_peer = self._try(number, mutant, mutant.where)
        except NotJudged as error:
            self._progress.say(f"not judged: {mutant.file}: {mutant.name}:\n{error}")
            return not_judged(mutant, str(error))
        keep(mutant.name, seen)
        verdict = judge(mutant, seen, seconds, preflight - self._usual)
        if by_peer is not None:
            verdict.by_peer = [one for one in by_peer if one not in self._usual]
        named = f"{verdict.red[0]} ({verdict.blamed})" if verdict.red else "nothing is red"
        self._progress.say(f"{verdict.kind}: {mutant.file}: {mutant.name}: {named}, {seconds:.0f} s")
        return verdict


def run(
    spec: Spec,
    spec_file: Path,
    mutants: Sequence[Mutant],
    *,
    tests: Iterable[str],
    side_by_side: int,
    keep_cluster: bool,
    keep: Callable[[str, Document], None],
    peer: Peer | None = None,
) -> Tally:
    """Bring the cluster up, or take the kept one, and run the mutants of its scripts beside it.

    Raises MutantsError, BringUpFailed, LabFailed, CommandFailed or OSError.
    """
    progress, small = Progress(), cut_down(spec)
    with Stopping(), state.holding_the_cluster(progress):
        try:
            cluster, _ = lifecycle.provide(small, spec_file, progress)
            bench = Bench(
                spec=small,
                cluster=cluster,
                hosting=hosting.of(spec.provider),
                provision=state.VAGRANTFILE.parent,
                tests=[*tests],
                booting=threading.Lock(),
            )
            bench.sweep()
            return Gate(bench, side_by_side, progress, peer).run(mutants, keep)
        finally:
            if not keep_cluster:
                _destroy(progress)


def _destroy(progress: Progress) -> None:
    try:
        lifecycle.destroy(progress)
    except CommandFailed as error:
        progress.say(f"the cluster is still there; `make destroy` tries again: {error}")
