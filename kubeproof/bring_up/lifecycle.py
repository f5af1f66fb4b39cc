"""Bring the spec's cluster up with Vagrant, or take the kept one that is just the same; end it again."""

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
from kubeproof.bring_up.state import VAGRANTFILE, Made
from kubeproof.bring_up.vagrant import Vagrant
from kubeproof.lab import LabFailed
from kubeproof.process import paths, temporary
from kubeproof.process.commands import LAST_LINES, CommandFailed, run
from kubeproof.process.fingerprint import fingerprint
from kubeproof.process.progress import Progress
from kubeproof.results import blame
from kubeproof.results.steps import STEPS_FILE, BringUpFailed
from kubeproof.spec import Spec, stated
from kubeproof.spec.scripts import OF_ROLE, SCRIPTS


def stamp(spec: Spec) -> str:
    """What a kept cluster must have been made from to be this one: spec, scripts, Vagrantfile and box."""
    scripts = [stated(spec.scripts) / name for name in SCRIPTS]
    # What is accepted makes no other cluster.
    made_of = spec.model_dump_json(exclude={"accepted_risks"})
    return fingerprint(made_of, *scripts, VAGRANTFILE, hosting.of(spec.provider).made_of(spec))


def provide(spec: Spec, spec_file: Path, progress: Progress) -> tuple[Cluster, bool]:
    """The cluster of `spec`, and whether it was made now; call it while holding the cluster.

    A kept cluster that this checkout made from the very same things is taken as it is; any other is replaced, with a
    word.
    Raises BringUpFailed, LabFailed or CommandFailed; what was started by then is for destroy() to end.
    """
    there, made = state.kept(), state.made()
    if made:
        difference = _difference(there, made, stamp(spec))
        if there and not difference:
            progress.say(f"taking the kept cluster of {there.since:%Y-%m-%d %H:%M} UTC: scripts and spec are the same")
            return there, False
        progress.say(f"replacing the cluster that is there: {difference}")
        destroy(progress)
    # Those of another bring-up, whose run was killed, are none of this one's.
    state.steps_file().unlink(missing_ok=True)
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
    made = state.made()
    if made:
        made.hosting.end(made.client(), progress)
    for left in (state.MADE, state.SPEC_COPY, "cluster.json", "kubeconfig", "ssh_config", STEPS_FILE):
        (paths.state() / left).unlink(missing_ok=True)
    for draft in paths.state().glob(paths.DRAFTS):  # of a run that was killed
        draft.unlink()
    if state.workplace().exists():
        shutil.rmtree(state.workplace())
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
    made, output = state.made(), Output(_log())
    assert made is not None, "no machines were made here"
    try:
        for line in made.client().stream(*command):
            output.follow(line)
    except subprocess.CalledProcessError as error:
        raise output.failure(error.returncode) from None


def _log() -> Path:
    return paths.state() / "vagrant.log"


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
            timeline = "".join(f"{step.model_dump_json()}\n" for step in output.steps)
            state.steps_file().write_text(timeline)


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
    return state.entrance(spec_file, made_from)


def administrators_kubeconfig(spec: Spec, *ssh: str) -> str:
    """What a control plane whose scripts have all run has for its administrator; `ssh` is how machines are entered.

    Raises BringUpFailed if it has none.
    """
    try:
        return run(*ssh, spec.control_plane.name, "sudo cat /etc/kubernetes/admin.conf", timeout=60)
    except CommandFailed as error:
        raise BringUpFailed(
            f"{spec.control_plane.name} has no kubeconfig of an administrator: {error}",
            reached={node.name: (OF_ROLE[stated(node.role)], blame.END) for node in spec.nodes},
        ) from None
