"""Brings the spec's cluster up with Vagrant, or takes an equal one that was kept; ends it again."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

import yaml

from kubeproof.access.cluster import Cluster
from kubeproof.bring_up import hosting, state
from kubeproof.bring_up.output import CREATED, Output
from kubeproof.bring_up.state import VAGRANTFILE, Record
from kubeproof.bring_up.vagrant import Vagrant
from kubeproof.lab import LabFailed
from kubeproof.process import paths, temporary
from kubeproof.process.commands import CommandFailed, run
from kubeproof.process.fingerprint import fingerprint
from kubeproof.process.progress import Progress
from kubeproof.results import blame
from kubeproof.results.steps import STEPS_FILE, BringUpFailed
from kubeproof.spec import Spec, stated
from kubeproof.spec.scripts import OF_ROLE, SCRIPTS


def stamp(spec: Spec) -> str:
    """A digest of spec, scripts, Vagrantfile and box: a kept cluster with the same one can serve for this spec."""
    scripts = [stated(spec.scripts) / name for name in SCRIPTS]
    cluster = spec.model_dump_json(exclude={"accepted_risks"})  # accepted risks change no machine
    return fingerprint(cluster, *scripts, VAGRANTFILE, hosting.of(spec.provider).box_of(spec))


def provide(spec: Spec, spec_file: Path, progress: Progress) -> tuple[Cluster, bool]:
    """The cluster of `spec`, and whether it was created now; call it while holding the cluster.

    A kept cluster that this checkout made from an equal spec is taken as it is; any other is replaced, with a message.
    Raises BringUpFailed, LabFailed or CommandFailed; destroy() then ends what was started.
    """
    record = state.record()
    if record:
        cluster = state.kept()
        difference = _difference(cluster, record, stamp(spec))
        if cluster and not difference:
            progress.say(
                f"taking the kept cluster of {cluster.since:%Y-%m-%d %H:%M} UTC: scripts and spec are the same"
            )
            return cluster, False
        progress.say(f"replacing the existing cluster: {difference}")
        destroy(progress)
    state.steps_file().unlink(missing_ok=True)  # a killed run may have left those of its own bring-up
    record = Record(checkout=paths.CHECKOUT, python=sys.executable, provider=spec.provider)
    try:
        record.save(spec)
        record.hosting.start(spec, progress)
        # Only now: the first build decides which source the box's programs come from.
        made_from = stamp(spec)
        _vagrant_up(spec, record.client(), progress)
        _write_ssh_config(record, [node.name for node in spec.nodes])
        _write_kubeconfig(spec, record)
        cluster = state.entrance(spec_file, made_from)
        paths.write_whole(paths.state() / "cluster.json", cluster.model_dump_json(indent=1))
    except (BringUpFailed, CommandFailed, OSError) as failure:
        lacking = record.hosting.lacking(spec)
        if lacking:  # no script is responsible, whichever step failed
            raise LabFailed(f"{failure}\n{lacking}") from None
        if isinstance(failure, BringUpFailed) and failure.reached:
            try:
                _write_ssh_config(record, [*failure.reached])
            except BringUpFailed:
                failure.reached.clear()  # these machines can't be entered
        raise
    return cluster, True


def destroy(progress: Progress) -> None:
    """End and remove the recorded machines and their lab, if any.

    Raises CommandFailed if that fails: the record stays then, for another try.
    """
    record = state.record()
    if record:
        record.hosting.end(record.client(), progress)
    for name in (state.RECORD, state.SPEC_COPY, "cluster.json", "kubeconfig", "ssh_config", STEPS_FILE):
        (paths.state() / name).unlink(missing_ok=True)
    for draft in paths.state().glob(paths.DRAFTS):  # a killed run leaves them
        draft.unlink()
    if state.workplace().exists():
        shutil.rmtree(state.workplace())
    temporary.remove_abandoned()


def provision_again() -> None:
    """Run every script once more on every machine of the cluster that is up; raises BringUpFailed if one fails."""
    _follow("provision")


def reboot(node: str) -> None:
    """Halt and start a machine as its provider does; it may still boot on return. Raises BringUpFailed."""
    _follow("reload", "--no-provision", node)


def start(node: str) -> None:
    """Start a recorded machine that does not run. Raises BringUpFailed."""
    _follow("up", "--no-provision", node)


def _follow(*command: str) -> None:
    record, output = state.record(), Output(_log())
    assert record is not None, "no machines are recorded"
    try:
        for line in record.client().stream(*command):
            output.follow(line)
    except subprocess.CalledProcessError as error:
        raise output.failure(error.returncode) from None


def _log() -> Path:
    return paths.state() / "vagrant.log"


def _difference(cluster: Cluster | None, record: Record, wanted: str) -> str:
    """Why the kept cluster can't serve as the wanted one; empty if it can."""
    if cluster is None:
        return "its bring-up failed"
    if cluster.checkout != paths.CHECKOUT:
        return f"{cluster.checkout} made it"
    if cluster.stamp != wanted:
        return "spec, scripts or box have changed since"
    lost = record.hosting.lost(record.client())
    return f"{', '.join(lost)} no longer runs" if lost else ""


def _vagrant_up(spec: Spec, client: Vagrant, progress: Progress) -> None:
    """Create the machines one after the other; each then boots and is provisioned beside the others.

    Vagrant's docker provider has races when it creates machines side by side. A worker's `kubeadm join` waits for the
    API server by itself.
    """
    client.release(stated(node.ssh_port) for node in spec.nodes)
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
            state.steps_file().write_text("".join(f"{step.model_dump_json()}\n" for step in output.steps))


def _write_ssh_config(record: Record, nodes: Sequence[str]) -> None:
    try:
        config = "".join(record.client().stream("ssh-config", *nodes))
    except subprocess.CalledProcessError as error:
        raise BringUpFailed(
            f"Vagrant does not report how to enter its machines: {error}\nIts output:\n{error.output or 'nothing'}"
        ) from None
    (paths.state() / "ssh_config").write_text(config)


def _write_kubeconfig(spec: Spec, record: Record) -> None:
    config = yaml.safe_load(administrators_kubeconfig(spec, "ssh", "-F", str(paths.state() / "ssh_config")))
    for entry in config["clusters"]:
        entry["cluster"].update(record.hosting.api_server(spec))
    paths.write_whole(paths.state() / "kubeconfig", yaml.safe_dump(config))


def administrators_kubeconfig(spec: Spec, *ssh: str) -> str:
    """The administrator's kubeconfig on a control plane where all scripts have run; `ssh` is the command to enter it.

    Raises BringUpFailed if there is none.
    """
    try:
        return run(*ssh, spec.control_plane.name, "sudo cat /etc/kubernetes/admin.conf", timeout=60)
    except CommandFailed as error:
        raise BringUpFailed(
            f"{spec.control_plane.name} has no kubeconfig of an administrator: {error}",
            reached={node.name: (OF_ROLE[stated(node.role)], blame.END) for node in spec.nodes},
        ) from None
