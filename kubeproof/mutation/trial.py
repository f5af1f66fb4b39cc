"""One more machine beside a living cluster, made from scripts of its own: a worker of it, or a cluster of one."""

import datetime
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import yaml
from kubernetes.client import ApiException

from kubeproof.access.api import Api
from kubeproof.access.cluster import Cluster
from kubeproof.bring_up import lifecycle
from kubeproof.bring_up.hosting import Hosting
from kubeproof.bring_up.output import CREATED, Output
from kubeproof.bring_up.prepared import Failure, PreparedCluster
from kubeproof.bring_up.vagrant import Vagrant
from kubeproof.mutation.model import VAGRANTFILE, Mutant, Role
from kubeproof.process import commands, paths
from kubeproof.process.commands import LAST_LINES
from kubeproof.results import document
from kubeproof.results.document import Document
from kubeproof.results.steps import BringUpFailed
from kubeproof.results.store import Unreadable
from kubeproof.spec import Node, Spec, stated
from kubeproof.spec.scripts import SCRIPTS

MOST_MACHINES = 2  # of one mutant
MOST_SEATS = 250  # addresses that are taken in turn
LOOKS = "not experiment and not writes and not after_experiments"
TALKS = (
    "writes and not experiment and not after_experiments"  # what only pods' traffic shows: asked where all looks well
)
JUDGE_SECONDS = 600
PREFLIGHT = re.compile(r"\[(ERROR|WARNING) ([\w-]+)\]: ")


def cut_down(spec: Spec) -> Spec:
    """The cluster beside which machines are tried: a control plane and one worker of `spec`."""
    return spec.model_copy(update={"nodes": [spec.control_plane, spec.workers[0]]})


def write_spec(spec: Spec, file: Path) -> None:
    """Write a spec that was made here so that it can be loaded like any other."""
    known = spec.model_dump(mode="json")
    risks = {name: risk.model_dump() for name, risk in spec.accepted_risks.items()}  # YAML has dates
    file.write_text(yaml.safe_dump({**known, "accepted_risks": risks}, sort_keys=False))


@dataclass(frozen=True)
class Bench:
    """The living cluster of `spec`, how its machines run, and where those that are tried keep their files."""

    spec: Spec
    cluster: Cluster
    hosting: Hosting
    provision: Path
    tests: list[str]
    booting: threading.Lock  # Vagrant's docker provider races with itself where machines come or go

    @property
    def folder(self) -> Path:
        """One folder a machine: what is still in it when a run begins, a killed one left."""
        return paths.state() / "trials"

    def seat(self, number: int, where: Role) -> Node:
        """The machine of that number: no other of this run has its name, address or port."""
        like = self.spec.control_plane if where == "control-plane" else self.spec.workers[0]
        taken = {node.address for node in self.spec.nodes}
        # The first is the provider's own end of the network.
        free = [host for host in islice(stated(self.spec.networks.node).hosts(), 1, MOST_SEATS) if host not in taken]
        kind = "c" if where == "control-plane" else "w"
        return like.model_copy(
            update={
                "name": f"trial-{kind}{number}",
                "address": free[number % len(free)],
                "ssh_port": max(stated(node.ssh_port) for node in self.spec.nodes) + 1 + number,
            }
        )

    def sweep(self) -> None:
        """Remove what a killed run left."""
        for folder in self.folder.glob("*"):
            Trial(self, folder).remove()
        api, ours = Api(self.cluster.kubeconfig), {node.name for node in self.spec.nodes}
        for name in {node.metadata.name for node in api.core.list_node().items} - ours:
            api.core.delete_node(name)


class NotJudged(Exception):
    """The checks could not be run on the machine; the message says why, or has what pytest said last."""


class Ended(Exception):
    """The trial was ended from outside."""


class Trial:
    """A machine under way, or several that are alike: Vagrant's folder of them, with scripts and spec of its own."""

    def __init__(self, bench: Bench, folder: Path, seats: Sequence[Node] = ()) -> None:
        self._bench = bench
        self._seats = seats
        self.folder = folder
        self._spec_file = folder / "spec.yaml"
        self._vagrant = self._client()
        self._judge: subprocess.Popen[str] | None = None
        self._ended = False

    def end(self) -> None:
        """End what is under way, from any thread: whoever waits for it gets Ended, and removes the machine."""
        self._ended = True
        self._vagrant.end()
        if self._judge:
            commands.end(self._judge)

    def remove(self) -> None:
        """End the machine, and take it out of the cluster by whatever name it joined."""
        with suppress(subprocess.CalledProcessError), self._bench.booting:
            list(self._client().stream("destroy", "--force", *self._names))
        api, ours = Api(self._bench.cluster.kubeconfig), {node.name for node in self._bench.spec.nodes}
        for node in api.core.list_node().items:
            name, addresses = node.metadata.name, {one.address for one in node.status.addresses or []}
            if name in self._names or (name not in ours and addresses & {str(seat.address) for seat in self._seats}):
                with suppress(ApiException):  # it is gone
                    api.core.delete_node(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _client(self) -> Vagrant:
        """Vagrant anew: one that was ended, as by the time-out, stays so."""
        return Vagrant(self.folder, self._spec_file, sys.executable, self._bench.hosting)

    @property
    def kubeconfig(self) -> Path:
        """The way to its API from where its network is; there once the machine has come up and was judged."""
        return self.folder / "kubeconfig"

    def command(self, *words: str) -> list[str]:
        """A command as it is run where the machine's network is."""
        return self._bench.hosting.command(*words)

    @property
    def _names(self) -> list[str]:
        return [seat.name for seat in self._seats]

    def prepare(self, mutant: Mutant | None, spec: Spec) -> None:
        """Write the scripts, with the edit in one of them, and the spec by which they are run and judged."""
        self.folder.mkdir(parents=True)
        for source in [
            self._bench.provision / VAGRANTFILE,
            *[stated(self._bench.spec.scripts) / name for name in SCRIPTS],
        ]:
            text = source.read_text()
            edited = mutant.applied(text) if mutant and mutant.file == source.name else text
            (self.folder / source.name).write_text(edited)
        write_spec(spec.model_copy(update={"scripts": self.folder}), self._spec_file)

    def bring_up(self, patience: float) -> Failure | None:
        """Boot and provision the machine, in `patience` seconds; what was said is in vagrant.log. Raises Ended."""
        log = self.folder / "vagrant.log"
        output = Output(log)
        self._vagrant.release(stated(seat.ssh_port) for seat in self._seats)
        try:
            for name in self._names:
                self._up(name, output, log, patience)
        except subprocess.CalledProcessError as error:
            self._go_on()
            return Failure.of(output.failure(error.returncode))
        return None

    @property
    def preflight(self) -> set[str]:
        """What kubeadm's own checks before init or join complained of, such as "ERROR Swap"."""
        log = self.folder / "vagrant.log"
        said = log.read_text(errors="replace") if log.exists() else ""
        return {" ".join(found) for found in PREFLIGHT.findall(said)}

    def _go_on(self) -> None:
        if self._ended:
            raise Ended

    def _up(self, name: str, output: Output, log: Path, patience: float) -> None:
        """While one machine is created no other is; from then on it boots beside them."""
        with ExitStack() as creating, log.open("a") as kept:
            creating.enter_context(self._bench.booting)
            self._go_on()
            late = threading.Timer(patience, self._vagrant.end)
            late.start()
            try:
                for line in self._vagrant.stream("up", name):
                    kept.write(line)
                    output.follow(line)
                    if CREATED.match(line):
                        creating.close()
            finally:
                late.cancel()

    def judge(self, spec: Spec, failure: Failure | None, where: Role, patience: float) -> Document:
        """What the checks say of the machine; those that need traffic are asked where the others see nothing wrong.

        It is given `patience` seconds to come to rest. Raises Ended or NotJudged.
        """
        cluster = self._enter(where)
        failure = failure or self._fetch_kubeconfig(spec)
        entered = PreparedCluster(
            cluster=cluster,
            machines=self._names if where == "worker" else [],
            failure=failure,
            settle_seconds=patience,
        )
        entered.write(self.folder / "entered.json")
        seen = self._run(LOOKS)
        if seen.wrong or failure:
            return seen
        talked = self._run(TALKS)
        return talked.model_copy(update={"results": [*seen.results, *talked.results]})

    def _enter(self, where: Role) -> Cluster:
        """How the machine is entered from where its network is: its own port, and the API's own address."""
        ssh_config = self.folder / "ssh_config"
        own = ""
        with suppress(subprocess.CalledProcessError):  # it can't be entered
            own = "".join(self._client().stream("ssh-config", *self._names))
        others = self._bench.cluster.ssh_config.read_text() if where == "worker" else ""
        ssh_config.write_text(own + others)
        return Cluster(
            stamp="",
            checkout=paths.CHECKOUT,
            spec=self._spec_file,
            kubeconfig=self.kubeconfig,
            ssh_config=ssh_config,
            since=datetime.datetime.now(datetime.UTC),
        )

    def _fetch_kubeconfig(self, spec: Spec) -> Failure | None:
        """Keep the way to the API; that the control plane has none is a bring-up that failed."""
        ssh = self.command("ssh", "-F", str(self.folder / "ssh_config"))
        try:
            paths.write_whole(self.kubeconfig, lifecycle.administrators_kubeconfig(spec, *ssh))
        except BringUpFailed as failure:
            return Failure.of(failure)
        return None

    def _run(self, selection: str) -> Document:
        self._go_on()
        command = self._bench.hosting.command(
            *(sys.executable, "-m", "pytest", "-q", "-m", selection, "-p", "no:cacheprovider"),
            *(f"--cluster={self._spec_file}", f"--entered={self.folder / 'entered.json'}"),
            *(f"--reports={self.folder / 'reports'}", *self._bench.tests),
        )
        with (self.folder / "judge.log").open("a") as log:
            self._judge = subprocess.Popen(
                commands.dying_with_us(*command),
                cwd=paths.CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            try:
                self._judge.wait(JUDGE_SECONDS)
            except subprocess.TimeoutExpired:
                pass  # what it had judged by then has no end
            finally:
                commands.end(self._judge)
        self._go_on()
        try:
            seen = document.read(self.folder / "reports" / "latest")
        except Unreadable:
            seen = None
        if seen is None or seen.ended is None:
            said = (self.folder / "judge.log").read_text(errors="replace").strip().splitlines()
            raise NotJudged("\n".join(said[-LAST_LINES:]))
        return seen


@contextmanager
def tried(bench: Bench, number: int, mutant: Mutant | None, where: Role) -> Iterator[tuple[Trial, Spec]]:
    """A machine that is removed on every way out, prepared but not yet booted, and the spec that it is judged by."""
    count = mutant.machines if mutant else 1
    seats = [bench.seat(number * MOST_MACHINES + twin, where) for twin in range(count)]
    spec = bench.spec.model_copy(update={"nodes": [*bench.spec.nodes, *seats] if where == "worker" else seats})
    trial = Trial(bench, bench.folder / seats[0].name, seats)
    try:
        trial.prepare(mutant, spec)
        yield trial, spec
    finally:
        trial.remove()
