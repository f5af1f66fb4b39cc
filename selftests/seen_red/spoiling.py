"""A pytest plugin that spoils experiments in the way that KUBEPROOF_SPOILED names.

"not made": the fault is neither made nor proved in, so its effects do not come.
"kept in": the fault is made again and again, and not mended before the experiment ends. Requests to the talkers are
dropped on its machine and from the control plane. If the fault is on the control plane, no worker's kubelet starts a
pod. So whatever must go on or come back does not.
"""

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from testinfra.host import Host

from kubeproof.access.cluster import Cluster
from kubeproof.access.ssh import enter
from kubeproof.bring_up import lifecycle, state
from kubeproof.experiments import faults
from kubeproof.experiments.experiment import Experiment
from kubeproof.experiments.faults import Fault
from kubeproof.spec import load
from selftests.seen_red.kept_cluster import KEPT_IN, NOT_MADE, SPOILED

# Drops the experiments' requests to talkers, but not kubelet's probes. Calico moves its own rules to the front in other
# tables, where they could accept the requests first; in table raw they accept nothing.
IPTABLES = "iptables -t raw"
REQUEST = '-p tcp -m string --algo bm --string "GET /hostname" -j DROP'
UNIT = "made-again"

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
        do(host, f"systemd-run --quiet --unit={UNIT} sh -c {shlex.quote(again)}", f"systemctl stop {UNIT}")
        for machine, chain in ((host, "PREROUTING"), (host, "OUTPUT"), (control_plane, "OUTPUT")):
            do(machine, f"{IPTABLES} -I {chain} {REQUEST}", f"{IPTABLES} -D {chain} {REQUEST}")
        if fault.node == spec.control_plane.name:
            for worker in spec.workers:
                do(enter(worker.name, ssh_config), "kill -STOP $(pidof kubelet)", "kill -CONT $(pidof kubelet)")
        yield


def provision_badly() -> None:
    """In place of lifecycle.provision_again: each time, a new file is left and traffic is cut meanwhile."""
    cluster = state.kept()
    assert cluster is not None
    with ExitStack() as undoing:
        for node in load(cluster.spec).nodes:
            machine = enter(node.name, cluster.ssh_config)
            undoing.callback(machine.run, f"{IPTABLES} -D OUTPUT {REQUEST}")
            machine.check_output(f"touch /etc/provisioned-at-$(date +%s) && {IPTABLES} -I OUTPUT {REQUEST}")
        provision_again()


spoiled = os.environ[SPOILED]
if spoiled == NOT_MADE:
    faults.injected = not_made
    lifecycle.reboot = lambda node: None  # noqa: ARG005 # the signature of reboot
if spoiled == KEPT_IN:
    faults.injected = kept_in
    lifecycle.provision_again = provision_badly
    Experiment.mend = lambda experiment: None  # type: ignore[method-assign,assignment] # noqa: ARG005 # it mends nothing on purpose
