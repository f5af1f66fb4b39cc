"""kube-proxy held down on a worker: its old rules still work, and no new ones are made."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from testinfra.host import Host

from kubeproof.checks import Experiment, at_rest, fetch, http_status, pod_url, wait_for, wellknown

HEALTHZ = f"http://127.0.0.1:{wellknown.KUBE_PROXY_HEALTH_PORT}/healthz"
STOPPED = "T"  # in proc(5), the state of a process that a signal stopped


@dataclass
class Scene:
    """The URLs of a pod, of a Service from before the fault, and of one from after it."""

    pod: str
    old: str
    new: str


@pytest.fixture(scope="class")
def held(experiment: Experiment, margin: float) -> Iterator[Scene]:
    """The worker's kube-proxy is stopped by a signal, and a Service is created after that."""
    host = experiment.host
    pod = experiment.running("old", experiment.spec.control_plane.name)
    old = experiment.serve(pod)
    wait_for("the old Service answers", lambda: fetch(host, old) == "old", within=margin)
    experiment.ask("the old Service, from the worker", host, old, "old")

    def is_held() -> bool:
        stat = host.check_output("cat /proc/$(pidof kube-proxy)/stat")
        return stat.rpartition(")")[2].split()[0] == STOPPED and http_status(host, HEALTHZ) == 0

    def is_mended() -> None:
        wait_for("healthz is ok", lambda: http_status(host, HEALTHZ) == 200, within=margin)
        at_rest(experiment.api, experiment.node.name)

    with experiment.fault(
        "kube-proxy held down",
        make="kill -STOP $(pidof kube-proxy)",
        mend="pidof kube-proxy | xargs --no-run-if-empty kill -CONT",
        is_in=lambda: wait_for("its process is stopped, and healthz silent", is_held, within=10),
        is_mended=is_mended,
    ):
        yield Scene(pod_url(pod), old, experiment.serve(experiment.running("new", experiment.spec.control_plane.name)))


@pytest.fixture(scope="class")
def let_go(experiment: Experiment, held: Scene) -> None:
    """The worker's kube-proxy runs again."""
    assert held
    experiment.mend()


@pytest.mark.experiment(claims="a node")
@pytest.mark.needs("components.kube-proxy")
class TestKubeProxyHeld:
    """kube-proxy is held down once; the last check looks at its return."""

    def test_pods_talk_on(self, experiment: Experiment, held: Scene) -> None:
        """The machine still reaches a pod by its address, without kube-proxy."""
        assert fetch(experiment.host, held.pod) == "old"

    def test_old_service_answers(self, experiment: Experiment, held: Scene) -> None:
        """A Service from before the fault still answers: its rules are in the kernel."""
        assert fetch(experiment.host, held.old) == "old"

    def test_new_service_answers_elsewhere(self, control_plane: Host, held: Scene, margin: float) -> None:
        """A Service from after the fault answers on another machine."""
        wait_for("the new Service answers", lambda: fetch(control_plane, held.new) == "new", within=margin)

    def test_new_service_does_not_answer_here(self, experiment: Experiment, held: Scene) -> None:
        """A Service from after the fault does not answer on the worker, which has no rules for it."""
        assert fetch(experiment.host, held.new) == ""

    @pytest.mark.usefixtures("let_go")
    def test_new_service_answers_once_it_is_back(self, experiment: Experiment, held: Scene, margin: float) -> None:
        """Once kube-proxy runs again, the new Service answers on the worker."""
        wait_for("the new Service answers", lambda: fetch(experiment.host, held.new) == "new", within=margin)
