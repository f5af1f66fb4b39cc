"""The lab's state on disk: it outlives the run, and the next run finds the machines by it."""

import datetime
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel

from kubeproof.access.cluster import Cluster
from kubeproof.bring_up import hosting
from kubeproof.bring_up.hosting import Hosting
from kubeproof.bring_up.vagrant import Vagrant
from kubeproof.process import paths
from kubeproof.process.progress import Progress
from kubeproof.results.steps import STEPS_FILE, BringUpFailed
from kubeproof.spec import Spec, scripts

RECORD, SPEC_COPY = "made.json", "spec.json"
VAGRANTFILE = paths.CHECKOUT / "provision" / scripts.VAGRANTFILE
# The Vagrantfile of the workplace, so that `vagrant ssh` works there by hand.
WORKPLACE_VAGRANTFILE = """\
require "json"
state = File.dirname(__dir__)
made = JSON.parse(File.read(File.join(state, "made.json")))
ENV["KUBEPROOF_CLUSTER"] ||= File.join(state, "spec.json")
ENV["KUBEPROOF_LAB_FILE"] ||= File.join(state, "lab.json")
ENV["KUBEPROOF_PYTHON"] ||= made["python"]
load File.join(made["checkout"], "provision", "Vagrantfile")
"""


class Record(BaseModel):
    """Record of machines being created: which checkout and provider. Written before the first machine exists."""

    checkout: Path
    python: str
    provider: str

    @property
    def hosting(self) -> Hosting:
        """Where the machines run."""
        return hosting.of(self.provider)

    def save(self, spec: Spec) -> None:
        """Write the record and a copy of the spec, which Vagrant needs to end the machines."""
        paths.write_whole(paths.state() / SPEC_COPY, spec.document())
        paths.write_whole(paths.state() / RECORD, self.model_dump_json(indent=1))
        workplace().mkdir(exist_ok=True)
        (workplace() / scripts.VAGRANTFILE).write_text(WORKPLACE_VAGRANTFILE)

    def client(self) -> Vagrant:
        """Vagrant for these machines."""
        return Vagrant(workplace(), paths.state() / SPEC_COPY, self.python, self.hosting)


def record() -> Record | None:
    """The record of the machines on this machine, whichever checkout created them."""
    file = paths.state() / RECORD
    return Record.model_validate_json(file.read_text()) if file.exists() else None


def kept() -> Cluster | None:
    """The cluster that is up on this machine, whichever checkout brought it up."""
    file = paths.state() / "cluster.json"
    return Cluster.model_validate_json(file.read_text()) if file.exists() else None


@contextmanager
def holding_the_cluster(progress: Progress) -> Iterator[None]:
    """Lock the lab's cluster against other runs; wait, with a message, for a run that holds it.

    The lock ends with the process, however that ends. Raises BringUpFailed if the folder can't be made.
    """
    try:
        paths.state().mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        remedy = "run as root, or let XDG_STATE_HOME name a folder that can be written"
        raise BringUpFailed(f"the folder of the cluster's state can't be made: {error}; {remedy}") from None
    holder = paths.state() / "holder"
    lock = FileLock(paths.state() / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        run = holder.read_text().strip() if holder.exists() else "just starting, or ending"
        with progress.task(f"waiting for the run that holds the cluster ({run})"):
            lock.acquire()
    try:
        with suppress(OSError):  # only the message needs it: a full disk must not prevent `destroy`
            paths.write_whole(holder, f"process {os.getpid()} in {paths.CHECKOUT}\n")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def workplace() -> Path:
    """The folder in which Vagrant remembers its machines; it exists as long as they do."""
    return paths.state() / "vagrant"


def steps_file() -> Path:
    """The steps of the lab's bring-up, a ScriptStep a line; the file does not exist before a bring-up has ended."""
    return paths.state() / STEPS_FILE


def copy_steps(folder: Path) -> None:
    """Copy the steps of the cluster's bring-up, which may have failed or be of an earlier run, into a run's folder."""
    if steps_file().exists():
        with suppress(OSError):  # the disk may be full; the report does without
            shutil.copy(steps_file(), folder)


def entrance(spec_file: Path, stamp: str = "", folder: Path | None = None) -> Cluster:
    """How to enter a cluster whose kubeconfig and ssh config are in `folder`, or in the lab's state; up or not."""
    folder = folder or paths.state()
    return Cluster(
        stamp=stamp,
        checkout=paths.CHECKOUT,
        spec=spec_file,
        kubeconfig=folder / "kubeconfig",
        ssh_config=folder / "ssh_config",
        since=datetime.datetime.now(datetime.UTC),
    )
