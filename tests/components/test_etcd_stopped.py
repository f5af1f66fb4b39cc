"""etcd stopped: the API has no memory, and finds it all again."""

from collections.abc import Iterator

import pytest
from kubernetes import client
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.checks import RESTART_SECONDS, Experiment, Spec, at_rest, fetch, pod_url, wait_for

WRITTEN = {"said": "before"}
STOP_SECONDS = 5  # a signal's way to a process
# proc(5): T is stopped by a signal.
KILL_STOPPED = "ps -C etcd -o stat=,pid= | awk '$1 ~ /^T/ { print $2 }' | xargs --no-run-if-empty kill -KILL"


@pytest.fixture(scope="class")
def served(experiment: Experiment, spec: Spec) -> V1Pod:
    """A pod on a worker, and something written down."""
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="written"), data=WRITTEN)
    experiment.api.core.create_namespaced_config_map(experiment.namespace, body)
    return experiment.running("served", spec.workers[0].name)


@pytest.fixture(scope="class")
def stopped(experiment: Experiment, served: V1Pod) -> Iterator[V1Pod]:
    """Its process is stopped where it stands, and killed in the end: what kubelet starts then has but its disk.

    Its manifest stays. Were it taken away, kubelet would ask the API to delete the mirror pod, which waits for etcd,
    and see no manifest that is put back before that request has timed out, after 34 s, perhaps several times:
    https://github.com/kubernetes/kubernetes/issues/139502
    """
    experiment.ask("the pod, from the control plane", experiment.host, pod_url(served), "served")

    def is_stopped() -> bool:
        return str(experiment.host.check_output("ps -C etcd -o stat=")).startswith("T")

    before = experiment.container("etcd")

    def mended() -> None:
        experiment.another_is_ready("component=etcd", before, within=RESTART_SECONDS)
        at_rest(experiment.api, *[node.name for node in experiment.spec.nodes])

    with experiment.fault(
        "etcd stopped",
        make="kill -STOP $(pidof etcd)",
        mend=KILL_STOPPED,
        is_in=lambda: wait_for("its process is stopped", is_stopped, within=STOP_SECONDS),
        is_mended=mended,
    ):
        yield served


@pytest.fixture(scope="class")
def started(experiment: Experiment, stopped: V1Pod) -> None:
    """etcd runs again."""
    assert stopped
    experiment.mend()


@pytest.mark.experiment(claims="the cluster", lasts=50)
@pytest.mark.usefixtures("stopped")
@pytest.mark.needs("components.kubeadm", "components.etcd")
class TestEtcdStopped:
    """Stopped once; the last fact is of its return."""

    def test_api_is_not_ready(self, experiment: Experiment, margin: float) -> None:
        """It says so itself, or does not answer at all."""
        readyz = "curl --insecure --silent --max-time 5 https://127.0.0.1:6443/readyz"
        wait_for("readyz is not ok", lambda: experiment.host.run(readyz).stdout != "ok", within=margin)

    def test_pod_answers_on(self, stopped: V1Pod, control_plane: Host) -> None:
        """What runs needs nobody's leave."""
        assert fetch(control_plane, pod_url(stopped)) == "served"

    @pytest.mark.usefixtures("started")
    def test_nothing_stored_is_lost(self, experiment: Experiment) -> None:
        """With etcd back, what was written is there."""
        wait_for(
            "it can be read",
            lambda: experiment.api.core.read_namespaced_config_map("written", experiment.namespace).data,
            until=lambda data: data == WRITTEN,
            within=RESTART_SECONDS,
        )
