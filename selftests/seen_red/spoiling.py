"""A pytest plugin by which experiments go wrong: KUBEPROOF_SPOILED says how.

"not made": the fault is not made, and nobody proves that it is in: what must come of it does not.
"kept in": the fault is made again and again, nobody's questions are answered on its machine or asked from the control
plane, no worker's kubelet starts a pod for what happens on the control plane, and nothing is mended before the
experiment ends: what must go on, or come back, does not.
"""

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from testinfra.host import Host

from kubeproof.access.cluster import Cluster
from kubeproof.access.machine import enter
from kubeproof.bring_up import lifecycle, state
from kubeproof.experiments import faults
from kubeproof.experiments.experiment import Experiment
from kubeproof.experiments.faults import Fault
from kubeproof.spec import load
from selftests.seen_red.kept_cluster import KEPT_IN, NOT_MADE, SPOILED

# What the experiments ask of their pods; kubelet's probes of them are spared. In the table in which Calico, which puts
# its own rules before others' again, lets nothing pass.
IPTABLES = "iptables -t raw"
QUESTION = '-p tcp -m string --algo bm --string "GET /hostname" -j DROP'
AGAIN = "made-again"

injected, provision_again = faults.injected, lifecycle.provision_again


@contextmanager
def not_made(
    fault: Fault, host: Host, *, is_in: Callable[[], object], is_mended: Callable[[], object]
) -> Iterator[None]:
    """In place of faults.injected."""
    del fault, host, is_in, is_mended
    yield


@contextmanager
def kept_in(
    fault: Fault, host: Host, *, is_in: Callable[[], object], is_mended: Callable[[], object]
) -> Iterator[None]:
    """In place of faults.injected."""
    ssh_config = Path(host.backend.ssh_config)
    spec = load(Cluster.model_validate_json((ssh_config.parent / "cluster.json").read_text()).spec)
    control_plane = enter(spec.control_plane.name, ssh_config)
    with injected(fault, host, is_in=is_in, is_mended=is_mended), ExitStack() as undoing:

        def do(machine: Host, command: str, undo: str) -> None:
            undoing.callback(machine.run, undo)
            machine.check_output(command)

        again = f"while sleep 0.2; do {fault.make}\ndone"
        do(host, f"systemd-run --quiet --unit={AGAIN} sh -c {shlex.quote(again)}", f"systemctl stop {AGAIN}")
        for machine, chain in ((host, "PREROUTING"), (host, "OUTPUT"), (control_plane, "OUTPUT")):
            do(machine, f"{IPTABLES} -I {chain} {QUESTION}", f"{IPTABLES} -D {chain} {QUESTION}")
        if fault.node == spec.control_plane.name:
            for worker in spec.workers:
                do(enter(worker.name, ssh_config), "kill -STOP $(pidof kubelet)", "kill -CONT $(pidof kubelet)")
        yield


def provision_badly() -> None:
    """In place of lifecycle.provision_again: something new is left each time, and traffic is cut meanwhile."""
    cluster = state.kept()
    assert cluster is not None
    with ExitStack() as undoing:
        for node in load(cluster.spec).nodes:
            machine = enter(node.name, cluster.ssh_config)
            undoing.callback(machine.run, f"{IPTABLES} -D OUTPUT {QUESTION}")
            machine.check_output(f"touch /etc/provisioned-at-$(date +%s) && {IPTABLES} -I OUTPUT {QUESTION}")
        provision_again()


way = os.environ[SPOILED]
if way == NOT_MADE:
    faults.injected = not_made
    lifecycle.reboot = lambda node: None  # noqa: ARG005 # as it is called
if way == KEPT_IN:
    faults.injected = kept_in
    lifecycle.provision_again = provision_badly
    Experiment.mend = lambda experiment: None  # type: ignore[method-assign,assignment] # noqa: ARG005 # that is the point
