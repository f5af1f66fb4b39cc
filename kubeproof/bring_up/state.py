"""The record of the machines that were made here: it outlives the run, and leads the next one to them."""

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
from kubeproof.spec import Spec

MADE, SPEC_COPY = "made.json", "spec.json"
VAGRANTFILE = paths.CHECKOUT / "provision" / "Vagrantfile"
WORKPLACE = "vagrant"  # the folder in the lab's state where Vagrant remembers its machines
# There, `vagrant ssh` by hand finds them as well.
ENTRANCE = """\
require "json"
state = File.dirname(__dir__)
made = JSON.parse(File.read(File.join(state, "made.json")))
ENV["KUBEPROOF_CLUSTER"] ||= File.join(state, "spec.json")
ENV["KUBEPROOF_LAB_FILE"] ||= File.join(state, "lab.json")
ENV["KUBEPROOF_PYTHON"] ||= made["python"]
load File.join(made["checkout"], "provision", "Vagrantfile")
"""


class Made(BaseModel):
    """Machines that were begun to be made: by whom, and where they run; kept from before the first one on."""

    checkout: Path
    python: str
    provider: str

    @property
    def hosting(self) -> Hosting:
        """Where they run."""
        return hosting.of(self.provider)

    def record(self, spec: Spec) -> None:
        """Write it down, with the spec: whoever ends the machines needs it, whatever has become of its file."""
        paths.write_whole(paths.state() / SPEC_COPY, spec.document())
        paths.write_whole(paths.state() / MADE, self.model_dump_json(indent=1))
        workplace().mkdir(exist_ok=True)
        (workplace() / "Vagrantfile").write_text(ENTRANCE)

    def client(self) -> Vagrant:
        """Vagrant, as it made them."""
        return Vagrant(workplace(), paths.state() / SPEC_COPY, self.python, self.hosting)


def kept() -> Cluster | None:
    """The cluster that is up on this machine, whoever brought it up."""
    record = paths.state() / "cluster.json"
    return Cluster.model_validate_json(record.read_text()) if record.exists() else None


@contextmanager
def holding_the_cluster(progress: Progress) -> Iterator[None]:
    """Keep every other run out of the cluster that is made here; wait, with a word, for a run that holds it.

    The lock ends with the process, however that ends. Raises BringUpFailed where there can be none.
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
        who = holder.read_text().strip() if holder.exists() else "just starting, or ending"
        with progress.task(f"waiting for the run that holds the cluster ({who})"):
            lock.acquire()
    try:
        with suppress(OSError):  # a courtesy; a full disk keeps nobody from destroying
            paths.write_whole(holder, f"process {os.getpid()} in {paths.CHECKOUT}\n")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def workplace() -> Path:
    """Where Vagrant works, of which `vagrant ssh NODE` is a way to enter the machines; there while they are."""
    return paths.state() / WORKPLACE


def steps_file() -> Path:
    """Where the steps of the lab's bring-up are kept, a ScriptStep a line; not there before a bring-up has ended."""
    return paths.state() / STEPS_FILE


def copy_steps(folder: Path) -> None:
    """Keep in a run's folder how the bring-up of its cluster went: this run's, a failed one's, or a kept cluster's."""
    if steps_file().exists():
        with suppress(OSError):  # a full disk; the report has the rest
            shutil.copy(steps_file(), folder)


def made() -> Made | None:
    """The record of the machines that were made on this machine, whoever made them."""
    record = paths.state() / MADE
    return Made.model_validate_json(record.read_text()) if record.exists() else None


def entrance(spec_file: Path, made_from: str = "") -> Cluster:
    """How the cluster that was made here is entered; of a cluster that did not come up, its machines alone."""
    return Cluster(
        stamp=made_from,
        checkout=paths.CHECKOUT,
        spec=spec_file,
        kubeconfig=paths.state() / "kubeconfig",
        ssh_config=paths.state() / "ssh_config",
        since=datetime.datetime.now(datetime.UTC),
    )
