"""etcd stopped: the API is not ready meanwhile, and nothing stored is lost."""

from collections.abc import Iterator

import pytest
from kubernetes import client
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.checks import RESTART_SECONDS, Experiment, Spec, at_rest, fetch, pod_url, wait_for, wellknown

WRITTEN = {"stored": "before"}
STOP_SECONDS = 5  # for a signal to take effect
# State T of proc(5): stopped by a signal.
KILL_STOPPED = "ps -C etcd -o stat=,pid= | awk '$1 ~ /^T/ { print $2 }' | xargs --no-run-if-empty kill -KILL"


@pytest.fixture(scope="class")
def served(experiment: Experiment, spec: Spec) -> V1Pod:
    """A pod on a worker; a config map is stored as well."""
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="written"), data=WRITTEN)
    experiment.api.core.create_namespaced_config_map(experiment.namespace, body)
    return experiment.running("served", spec.workers[0].name)


@pytest.fixture(scope="class")
def stopped(experiment: Experiment, served: V1Pod) -> Iterator[V1Pod]:
    """etcd's process is stopped by a signal, and killed at the end: the next one starts with nothing but its disk.

    The manifest stays. If it were moved away, kubelet would ask the API to delete the mirror pod. The API waits for
    etcd, and kubelet does not see a manifest that is back before that request times out, after 34 s or several times
    that: https://github.com/kubernetes/kubernetes/issues/139502
    """
    experiment.ask("the pod, from the control plane", experiment.host, pod_url(served), "served")

    def is_stopped() -> bool:
        return str(experiment.host.check_output("ps -C etcd -o stat=")).startswith("T")

    before = experiment.container("etcd")

    def is_mended() -> None:
        experiment.another_is_ready(f"{wellknown.COMPONENT_LABEL}=etcd", before, within=RESTART_SECONDS)
        at_rest(experiment.api, *[node.name for node in experiment.spec.nodes])

    with experiment.fault(
        "etcd stopped",
        make="kill -STOP $(pidof etcd)",
        mend=KILL_STOPPED,
        is_in=lambda: wait_for("its process is stopped", is_stopped, within=STOP_SECONDS),
        is_mended=is_mended,
    ):
        yield served


@pytest.fixture(scope="class")
def started(experiment: Experiment, stopped: V1Pod) -> None:
    """etcd is started again."""
    assert stopped
    experiment.mend()


@pytest.mark.experiment(claims="the cluster", lasts=50)
@pytest.mark.usefixtures("stopped")
@pytest.mark.needs("components.kubeadm", "components.etcd")
class TestEtcdStopped:
    """etcd is stopped once; the last check looks at its return."""

    def test_api_is_not_ready(self, experiment: Experiment, margin: float) -> None:
        """The API reports that it is not ready, or does not answer."""
        url = f"https://127.0.0.1:{wellknown.API_SERVER_PORT}/readyz"
        readyz = f"curl --insecure --silent --max-time 5 {url}"
        wait_for("readyz is not ok", lambda: experiment.host.run(readyz).stdout != "ok", within=margin)

    def test_pod_answers_on(self, stopped: V1Pod, control_plane: Host) -> None:
        """A running pod answers without etcd."""
        assert fetch(control_plane, pod_url(stopped)) == "served"

    @pytest.mark.usefixtures("started")
    def test_nothing_stored_is_lost(self, experiment: Experiment) -> None:
        """Once etcd is back, the stored config map can be read."""
        wait_for(
            "it can be read",
            lambda: experiment.api.core.read_namespaced_config_map("written", experiment.namespace).data,
            until=lambda data: data == WRITTEN,
            within=RESTART_SECONDS,
        )
