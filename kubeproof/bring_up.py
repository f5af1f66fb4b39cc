"""Bring the spec's cluster up with Vagrant, or take the kept one that is just the same."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml
from filelock import FileLock, Timeout
from pydantic import BaseModel

from kubeproof import blame, hosting, paths, temporary
from kubeproof.cluster import Cluster
from kubeproof.commands import LAST_LINES, CommandFailed, run
from kubeproof.hosting import Hosting
from kubeproof.lab import LabFailed
from kubeproof.lab.cache import fingerprint
from kubeproof.progress import Progress
from kubeproof.spec import SCRIPTS, Spec
from kubeproof.vagrant_client import Vagrant

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
TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
STEPS = "steps.jsonl"
SPEAKER = re.compile(r"^(==>)?\s+(?P<node>\S+): ")
CREATED = re.compile(r"^==> (?P<node>\S+): Waiting for machine to boot")
BOOTED = re.compile(r"^==> (?P<node>\S+): Machine booted and ready!")
ANNOUNCED = re.compile(r"^\s*(?P<node>\S+): ::step (?P<script>\S+) (?P<step>\S+) (?P<event>start|end) (?P<status>\d+)")
FAILED = re.compile(r"^\s*(?P<node>\S+): ::failed (?P<script>\S+) (?P<step>\S+) (?P<where>line \d+: .*)")
CALLED_FROM = re.compile(r"^\s+from \S+:\d+:in ")


class BringUpFailed(Exception):
    """The cluster could not be made; the message names node, script, step and the last output.

    `script` and `step` are empty where no step is known to have failed. `reached` says of the machines that can be
    entered to which step, of which script, they had come, or that to blame.END: what the steps before it owe can be
    judged, and may be the cause.
    """

    def __init__(
        self, message: str, script: str = "", step: str = "", reached: Mapping[str, tuple[str, str]] | None = None
    ) -> None:
        super().__init__(message)
        self.script = script
        self.step = step
        self.reached = dict(reached or {})


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
        known = spec.model_dump(mode="json")
        paths.write_whole(paths.state() / SPEC_COPY, json.dumps({**known, "accepted_risks": {}}))  # those expire
        paths.write_whole(paths.state() / MADE, self.model_dump_json(indent=1))
        workplace().mkdir(exist_ok=True)
        (workplace() / "Vagrantfile").write_text(ENTRANCE)

    def client(self) -> Vagrant:
        """Vagrant, as it made them."""
        return Vagrant(workplace(), paths.state() / SPEC_COPY, self.python, self.hosting)


class ScriptStep(BaseModel):
    """One step of a provisioning script, as it announced itself."""

    node: str
    script: str
    step: str
    started: datetime.datetime
    ended: datetime.datetime | None = None
    status: int | None = None


class Output:
    """What Vagrant prints, read for the steps that the scripts announce; all of it is kept in `log`."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self.steps: list[ScriptStep] = []
        self._tails: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=LAST_LINES))
        self._failed: re.Match[str] | None = None
        self._booting: dict[str, str] = {}
        self._booted: set[str] = set()

    def follow(self, line: str) -> None:
        """Take one line in."""
        plain = TERMINAL_CODES.sub("", line).rstrip()
        speaker = SPEAKER.match(plain)
        if not CALLED_FROM.match(plain):  # where Vagrant itself breaks, its first line says at what
            self._tails[speaker["node"] if speaker else ""].append(plain)
        self._failed = self._failed or FAILED.match(plain)
        if speaker and speaker["node"] not in self._booted:
            self._booting[speaker["node"]] = plain[speaker.end() :]
        booted = BOOTED.match(plain)
        if booted:
            self._booted.add(booted["node"])
            del self._booting[booted["node"]]
        self._follow_steps(plain)

    def _follow_steps(self, plain: str) -> None:
        announced = ANNOUNCED.match(plain)
        if not announced:
            return
        now = datetime.datetime.now(datetime.UTC)
        node, script, step = announced["node"], announced["script"], announced["step"]
        if announced["event"] == "start":
            self.steps.append(ScriptStep(node=node, script=script, step=step, started=now))
            return
        for mine in (one for one in self.steps if (one.node, one.script, one.step) == (node, script, step)):
            mine.ended, mine.status = now, int(announced["status"])

    @property
    def under_way(self) -> str:
        """What is being waited for, machine by machine: a step that has begun, or what a booting one said last."""
        steps = [f"{one.node}: {one.script} {one.step}" for one in self.steps if one.ended is None]
        return ", ".join([*steps, *[f"{node}: {said}" for node, said in self._booting.items()]])

    def failure(self, status: int) -> BringUpFailed:
        """What is to be said after Vagrant ended with `status`."""
        # A status without a failure is what bash calls no error, such as the first of two commands that && joins.
        failed, ended_badly = self._failed, [step for step in self.steps if step.status]
        stopped = [*ended_badly, *[step for step in reversed(self.steps) if step.ended is None]]
        script = step = node = ""
        if failed:
            script, step, node = failed["script"], failed["step"], failed["node"]
            blamed = f"{script}, step {step}, failed on {failed['node']} at {failed['where']}"
        elif stopped:
            script, step, node = stopped[0].script, stopped[0].step, stopped[0].node
            fate = f"ended with status {stopped[0].status}" if stopped[0].ended else "never ended"
            blamed = f"{script}, step {step}, {fate} on {node}"
        else:
            blamed = "no step of a script had failed"
        # The machines speak all at once: this is what the blamed one said last, or each of them, and Vagrant itself.
        speakers = [node] if node else [*self._tails]
        said = "\n".join(line for speaker in speakers for line in self._tails[speaker]) or "nothing"
        how = f"`vagrant up` ended with status {status}: {blamed}"
        message = f"{how}.\nThe whole output: {self._log}. Its last lines:\n{said}"
        return BringUpFailed(message, script, step, {one.node: (one.script, one.step) for one in self.steps})


def stamp(spec: Spec) -> str:
    """What a kept cluster must have been made from to be this one: spec, scripts, Vagrantfile and box."""
    scripts = [spec.scripts / name for name in SCRIPTS]
    # What is accepted makes no other cluster.
    made_of = spec.model_dump_json(exclude={"accepted_risks"})
    return fingerprint(made_of, *scripts, VAGRANTFILE, hosting.of(spec.provider).made_of(spec))


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
    return paths.state() / STEPS


def copy_steps(folder: Path) -> None:
    """Keep in a run's folder how the bring-up of its cluster went: this run's, a failed one's, or a kept cluster's."""
    if steps_file().exists():
        with suppress(OSError):  # a full disk; the report has the rest
            shutil.copy(steps_file(), folder)


def provide(spec: Spec, spec_file: Path, progress: Progress) -> tuple[Cluster, bool]:
    """The cluster of `spec`, and whether it was made now; call it while holding the cluster.

    A kept cluster that this checkout made from the very same things is taken as it is; any other is replaced, with a
    word.
    Raises BringUpFailed, LabFailed or CommandFailed; what was started by then is for destroy() to end.
    """
    there, made = kept(), _made()
    if made:
        difference = _difference(there, made, stamp(spec))
        if there and not difference:
            progress.say(f"taking the kept cluster of {there.since:%Y-%m-%d %H:%M} UTC: scripts and spec are the same")
            return there, False
        progress.say(f"replacing the cluster that is there: {difference}")
        destroy(progress)
    # Those of another bring-up, whose run was killed, are none of this one's.
    steps_file().unlink(missing_ok=True)
    made = Made(checkout=paths.CHECKOUT, python=sys.executable, provider=spec.provider)
    try:
        made.record(spec)
        made.hosting.start(spec, progress)
        # Only now: which source the box's programs are of is found out when they are first made.
        made_from = stamp(spec)
        _vagrant_up(spec, made.client(), progress)
        cluster = _enter(spec, spec_file, made, made_from)
        paths.write_whole(paths.state() / "cluster.json", cluster.model_dump_json(indent=1))
    except (BringUpFailed, CommandFailed, OSError) as failure:
        lacking = made.hosting.lacking(spec)
        if lacking:  # whatever step it met, no script owes that
            raise LabFailed(f"{failure}\n{lacking}") from None
        if isinstance(failure, BringUpFailed) and failure.reached:
            try:
                _write_ssh_config(made, [*failure.reached])
            except BringUpFailed:
                failure.reached.clear()  # nobody can enter them
        raise
    return cluster, True


def destroy(progress: Progress) -> None:
    """End and remove the machines that were made, and what they ran in; nothing happens if there are none.

    Raises CommandFailed if they can't be: they are still there then, for another try.
    """
    made = _made()
    if made:
        made.hosting.end(made.client(), progress)
    for left in (MADE, SPEC_COPY, "cluster.json", "kubeconfig", "ssh_config", STEPS):
        (paths.state() / left).unlink(missing_ok=True)
    for draft in paths.state().glob(paths.DRAFTS):  # of a run that was killed
        draft.unlink()
    if workplace().exists():
        shutil.rmtree(workplace())
    temporary.forget_the_killed()


def provision_again() -> None:
    """Run every script once more on every machine of the cluster that is up; raises BringUpFailed if one fails."""
    _follow("provision")


def reboot(node: str) -> None:
    """Halt a machine and start it, as its provider does; it may take its time to come up. Raises BringUpFailed."""
    _follow("reload", "--no-provision", node)


def start(node: str) -> None:
    """Start a machine that was made here, if it does not run. Raises BringUpFailed."""
    _follow("up", "--no-provision", node)


def _follow(*command: str) -> None:
    made, output = _made(), Output(_log())
    assert made is not None, "no machines were made here"
    try:
        for line in made.client().stream(*command):
            output.follow(line)
    except subprocess.CalledProcessError as error:
        raise output.failure(error.returncode) from None


def _log() -> Path:
    return paths.state() / "vagrant.log"


def _made() -> Made | None:
    record = paths.state() / MADE
    return Made.model_validate_json(record.read_text()) if record.exists() else None


def _difference(there: Cluster | None, made: Made, wanted: str) -> str:
    """Why the kept cluster can't serve as the wanted one; nothing if it can."""
    if there is None:
        return "its bring-up did not end well"
    if there.checkout != paths.CHECKOUT:
        return f"{there.checkout} left it"
    if there.stamp != wanted:
        return "spec, scripts or box have changed since"
    lost = made.hosting.lost(made.client())
    return f"{', '.join(lost)} no longer runs" if lost else ""


def _vagrant_up(spec: Spec, client: Vagrant, progress: Progress) -> None:
    """Create the machines one after the other; from then on each boots and is provisioned beside the others.

    They are not created side by side: Vagrant's docker provider races with itself there. A worker's `kubeadm join`
    waits by itself for an API server that is not there yet.
    """
    client.release(node.ssh_port for node in spec.nodes)
    output = Output(_log())
    with (
        _log().open("w") as log,
        progress.task(f"vagrant up: {len(spec.nodes)} machines") as task,
        ThreadPoolExecutor(len(spec.nodes)) as pool,
    ):

        def up(node: str, is_created: threading.Event) -> None:
            try:
                for line in client.stream("up", node):
                    log.write(line)
                    log.flush()
                    output.follow(line)
                    task.detail(output.under_way)
                    if CREATED.match(line):
                        is_created.set()
            finally:
                is_created.set()

        try:
            machines: list[Future[None]] = []
            for node in spec.nodes:
                is_created = threading.Event()
                machines.append(pool.submit(up, node.name, is_created))
                is_created.wait()
                for ended in (machine for machine in machines if machine.done()):
                    ended.result()
            for machine in as_completed(machines):
                machine.result()
        except subprocess.CalledProcessError as error:
            raise output.failure(error.returncode) from None
        finally:
            client.end()
            timeline = "".join(f"{step.model_dump_json()}\n" for step in output.steps)
            steps_file().write_text(timeline)


def _write_ssh_config(made: Made, names: Sequence[str]) -> None:
    told: list[str] = []
    try:
        told.extend(made.client().stream("ssh-config", *names))
    except subprocess.CalledProcessError as error:
        said = "".join(told[-LAST_LINES:]) or "nothing"
        raise BringUpFailed(f"Vagrant does not say how its machines are entered: {error}\nIt said:\n{said}") from None
    (paths.state() / "ssh_config").write_text("".join(told))


def _enter(spec: Spec, spec_file: Path, made: Made, made_from: str) -> Cluster:
    """Write the ssh config and the kubeconfig by which this machine enters the cluster."""
    ssh_config, kubeconfig = paths.state() / "ssh_config", paths.state() / "kubeconfig"
    _write_ssh_config(made, [node.name for node in spec.nodes])
    config = yaml.safe_load(administrators_kubeconfig(spec, "ssh", "-F", str(ssh_config)))
    for entry in config["clusters"]:
        entry["cluster"].update(made.hosting.api_server(spec))
    paths.write_whole(kubeconfig, yaml.safe_dump(config))
    return entrance(spec_file, made_from)


def administrators_kubeconfig(spec: Spec, *ssh: str) -> str:
    """What a control plane whose scripts have all run has for its administrator; `ssh` is how machines are entered.

    Raises BringUpFailed if it has none.
    """
    try:
        return run(*ssh, spec.control_plane.name, "sudo cat /etc/kubernetes/admin.conf", timeout=60)
    except CommandFailed as error:
        last = {"control-plane": blame.CONTROL_PLANE, "worker": blame.WORKER}
        raise BringUpFailed(
            f"{spec.control_plane.name} has no kubeconfig of an administrator: {error}",
            reached={node.name: (last[node.role], blame.END) for node in spec.nodes},
        ) from None


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
