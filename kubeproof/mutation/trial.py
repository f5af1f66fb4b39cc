"""A machine beside a living cluster, made from its own scripts: a worker of that cluster, or a cluster of one."""

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

from kubernetes.client import ApiException

from kubeproof.access.api import Api
from kubeproof.access.cluster import Cluster
from kubeproof.bring_up import lifecycle, state
from kubeproof.bring_up.hosting import Hosting
from kubeproof.bring_up.output import CREATED, Output
from kubeproof.bring_up.prepared import PreparedCluster
from kubeproof.bring_up.vagrant import Vagrant
from kubeproof.mutation.model import Mutant
from kubeproof.process import commands, paths
from kubeproof.process.commands import LAST_LINES
from kubeproof.results import document
from kubeproof.results.document import Document
from kubeproof.results.steps import BringUpFailed
from kubeproof.results.store import Unreadable
from kubeproof.spec import Node, Spec, stated
from kubeproof.spec.scripts import CONTROL_PLANE, SCRIPTS, VAGRANTFILE, WORKER, Role

MOST_MACHINES = 2  # of one mutant
MOST_SEATS = 250  # addresses that are used in turn
READS = "not experiment and not writes and not after_experiments"
WRITES = "writes and not experiment and not after_experiments"  # pods' traffic: judged only where all reads pass
JUDGE_SECONDS = 600
PREFLIGHT = re.compile(r"\[(ERROR|WARNING) ([\w-]+)\]: ")


def cut_down(spec: Spec) -> Spec:
    """The spec of a small cluster: the control plane and one worker of `spec`."""
    return spec.model_copy(update={"nodes": [spec.control_plane, spec.workers[0]]})


@dataclass(frozen=True)
class Testbed:
    """The living cluster of `spec`, where its machines run, and the checks for those that are tried beside them."""

    spec: Spec
    cluster: Cluster
    hosting: Hosting
    provision: Path
    tests: list[str]
    booting: threading.Lock  # Vagrant's docker provider has races when it creates or removes machines side by side

    @property
    def folder(self) -> Path:
        """The folder with a folder for each machine."""
        return paths.state() / "trials"

    def seat(self, number: int, where: Role) -> Node:
        """The machine of that number: its name, address and port differ from those of all others of this run."""
        like = self.spec.control_plane if where == CONTROL_PLANE else self.spec.workers[0]
        taken = {node.address for node in self.spec.nodes}
        # The first address is the provider's own end of the network.
        free = [host for host in islice(stated(self.spec.networks.node).hosts(), 1, MOST_SEATS) if host not in taken]
        return like.model_copy(
            update={
                "name": f"trial-{where[0]}{number}",
                "address": free[number % len(free)],
                "ssh_port": max(stated(node.ssh_port) for node in self.spec.nodes) + 1 + number,
            }
        )

    def sweep(self) -> None:
        """Remove the machines and nodes that a killed run left."""
        for folder in self.folder.glob("*"):
            Trial(self, folder).remove()
        api, own = Api(self.cluster.kubeconfig), {node.name for node in self.spec.nodes}
        for name in {node.metadata.name for node in api.core.list_node().items} - own:
            api.core.delete_node(name)


class NotJudged(Exception):
    """The checks could not be run on the machine; the message quotes pytest's last lines."""


class Ended(Exception):
    """Another thread ended the trial."""


class Trial:
    """One machine, or several equal ones, with a folder for Vagrant, the scripts and the spec of these machines."""

    def __init__(self, testbed: Testbed, folder: Path, seats: Sequence[Node] = (), where: Role = WORKER) -> None:
        self._testbed = testbed
        self._names = [seat.name for seat in seats]
        self._seats = seats
        self._where = where
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"  # for a client in the machines' network; exists once they were judged
        self._spec_file = folder / "spec.yaml"
        self._vagrant = self._client()
        self._judging: subprocess.Popen[str] | None = None
        self._ended = False

    def end(self) -> None:
        """End what is under way, from any thread: the waiting thread gets Ended, and removes the machine."""
        self._ended = True
        self._vagrant.end()
        if self._judging:
            commands.end(self._judging)

    def remove(self) -> None:
        """End the machine, and delete its node from the cluster, whatever name it joined with."""
        with suppress(subprocess.CalledProcessError), self._testbed.booting:
            list(self._client().stream("destroy", "--force", *self._names))
        api, own = Api(self._testbed.cluster.kubeconfig), {node.name for node in self._testbed.spec.nodes}
        seats = {str(seat.address) for seat in self._seats}
        for node in api.core.list_node().items:
            name, addresses = node.metadata.name, {entry.address for entry in node.status.addresses or []}
            if name in self._names or (name not in own and addresses & seats):
                with suppress(ApiException):  # it may be gone by now
                    api.core.delete_node(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _client(self) -> Vagrant:
        """A new client: one that was ended, as by the time-out, runs nothing more."""
        return Vagrant(self.folder, self._spec_file, sys.executable, self._testbed.hosting)

    def command(self, *words: str) -> list[str]:
        """Wrap a command so that it runs in the machines' network."""
        return self._testbed.hosting.command(*words)

    @property
    def _spec(self) -> Spec:
        nodes = [*self._testbed.spec.nodes, *self._seats] if self._where == WORKER else [*self._seats]
        return self._testbed.spec.model_copy(update={"nodes": nodes, "scripts": self.folder})

    def prepare(self, mutant: Mutant | None) -> None:
        """Write the scripts, one of them with the mutant's edit, and the spec for provisioning and judging."""
        self.folder.mkdir(parents=True)
        scripts = [stated(self._testbed.spec.scripts) / name for name in SCRIPTS]
        for source in [self._testbed.provision / VAGRANTFILE, *scripts]:
            text = source.read_text()
            edited = mutant.applied(text) if mutant and mutant.file == source.name else text
            (self.folder / source.name).write_text(edited)
        self._spec_file.write_text(self._spec.document())

    def bring_up(self, patience: float) -> BringUpFailed | None:
        """Boot and provision the machine within `patience` seconds; vagrant.log has the output. Raises Ended."""
        output = Output(self._log)
        self._vagrant.release(stated(seat.ssh_port) for seat in self._seats)
        try:
            for name in self._names:
                self._up(name, output, patience)
        except subprocess.CalledProcessError as error:
            self._raise_if_ended()
            return output.failure(error.returncode)
        return None

    @property
    def _log(self) -> Path:
        return self.folder / "vagrant.log"

    @property
    def preflight(self) -> set[str]:
        """The complaints of kubeadm's own checks before init or join, such as "ERROR Swap"."""
        output = self._log.read_text(errors="replace") if self._log.exists() else ""
        return {" ".join(complaint) for complaint in PREFLIGHT.findall(output)}

    def _raise_if_ended(self) -> None:
        if self._ended:
            raise Ended

    def _up(self, name: str, output: Output, patience: float) -> None:
        """Create the machine while no other is created; then boot it beside others."""
        with ExitStack() as creating, self._log.open("a") as log:
            creating.enter_context(self._testbed.booting)
            self._raise_if_ended()
            timer = threading.Timer(patience, self._vagrant.end)
            timer.start()
            try:
                for line in self._vagrant.stream("up", name):
                    log.write(line)
                    output.follow(line)
                    if CREATED.match(line):
                        creating.close()
            finally:
                timer.cancel()

    def judge(self, failure: BringUpFailed | None, patience: float) -> Document:
        """The results of the checks of the machine; checks that need traffic run only if the others pass.

        The machine has `patience` seconds to come to rest. Raises Ended or NotJudged.
        """
        cluster = self._enter()
        failure = failure or self._fetch_kubeconfig()
        machines = self._names if self._where == WORKER else []
        prepared = PreparedCluster(cluster=cluster, machines=machines, failure=failure, settle_seconds=patience)
        prepared.write(self.folder / "prepared.json")
        reads = self._run(READS)
        if reads.wrong or failure:
            return reads
        writes = self._run(WRITES)
        return writes.model_copy(update={"results": [*reads.results, *writes.results]})

    def _enter(self) -> Cluster:
        """How to enter the machine from its own network: by its own port, and the API by its own address."""
        cluster = state.entrance(self._spec_file, folder=self.folder)
        config = self._testbed.cluster.ssh_config.read_text() if self._where == WORKER else ""
        with suppress(subprocess.CalledProcessError):  # the machine can't be entered
            config = "".join(self._client().stream("ssh-config", *self._names)) + config
        cluster.ssh_config.write_text(config)
        return cluster

    def _fetch_kubeconfig(self) -> BringUpFailed | None:
        """Save the administrator's kubeconfig; without one on the control plane, the bring-up has failed."""
        ssh = self.command("ssh", "-F", str(self.folder / "ssh_config"))
        try:
            paths.write_whole(self.kubeconfig, lifecycle.administrators_kubeconfig(self._spec, *ssh))
        except BringUpFailed as failure:
            return failure
        return None

    def _run(self, selection: str) -> Document:
        self._raise_if_ended()
        command = self.command(
            *(sys.executable, "-m", "pytest", "-q", "-m", selection, "-p", "no:cacheprovider"),
            *(f"--kubeproof-cluster={self._spec_file}", f"--kubeproof-prepared={self.folder / 'prepared.json'}"),
            *(f"--kubeproof-reports={self.folder / 'reports'}", *self._testbed.tests),
        )
        log = self.folder / "judge.log"
        with log.open("a") as output:
            self._judging = commands.start(commands.dying_with_us(*command), cwd=paths.CHECKOUT, stdout=output)
            try:
                with suppress(subprocess.TimeoutExpired):  # its results have no end then
                    self._judging.wait(JUDGE_SECONDS)
            finally:
                commands.end(self._judging)
        self._raise_if_ended()
        with suppress(Unreadable):
            results = document.read(self.folder / "reports" / "latest")
            if results.ended is not None:
                return results
        raise NotJudged("\n".join(log.read_text(errors="replace").strip().splitlines()[-LAST_LINES:]))


@contextmanager
def tried(testbed: Testbed, number: int, mutant: Mutant | None, where: Role) -> Iterator[Trial]:
    """A machine that is prepared but not yet booted; it is removed on every way out."""
    count = mutant.machines if mutant else 1
    seats = [testbed.seat(number * MOST_MACHINES + twin, where) for twin in range(count)]
    trial = Trial(testbed, testbed.folder / seats[0].name, seats, where)
    try:
        trial.prepare(mutant)
        yield trial
    finally:
        trial.remove()
