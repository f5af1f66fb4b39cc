"""kube-proxy held down on a worker: the rules it made serve on, and no new ones come."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from testinfra.host import Host

from kubeproof.checks import Experiment, at_rest, fetch, http_status, pod_url, wait_for

HEALTHZ = "http://127.0.0.1:10256/healthz"
STOPPED = "T"  # proc(5)'s state of a process that a signal has stopped


@dataclass
class Scene:
    """Where the pod answers, and the Services that were made before and after."""

    pod: str
    old: str
    new: str


@pytest.fixture(scope="class")
def held(experiment: Experiment, margin: float) -> Iterator[Scene]:
    """A worker whose kube-proxy stands still, and a Service that it has not heard of."""
    host = experiment.host
    pod = experiment.running("old", experiment.spec.control_plane.name)
    old = experiment.serve(pod)
    wait_for("the old Service answers", lambda: fetch(host, old) == "old", within=margin)
    experiment.ask("the old Service, from the worker", host, old, "old")

    def is_held() -> bool:
        stat = host.check_output("cat /proc/$(pidof kube-proxy)/stat")
        return stat.rpartition(")")[2].split()[0] == STOPPED and http_status(host, HEALTHZ) == 0

    def mended() -> None:
        wait_for("healthz is ok", lambda: http_status(host, HEALTHZ) == 200, within=margin)
        at_rest(experiment.api, experiment.node.name)

    with experiment.fault(
        "kube-proxy held down",
        make="kill -STOP $(pidof kube-proxy)",
        mend="pidof kube-proxy | xargs --no-run-if-empty kill -CONT",
        is_in=lambda: wait_for("its process is stopped, and healthz silent", is_held, within=10),
        is_mended=mended,
    ):
        yield Scene(pod_url(pod), old, experiment.serve(experiment.running("new", experiment.spec.control_plane.name)))


@pytest.fixture(scope="class")
def let_go(experiment: Experiment, held: Scene) -> None:
    """The same, with kube-proxy let go."""
    assert held
    experiment.mend()


@pytest.mark.experiment(claims="a node")
@pytest.mark.needs("components.kube-proxy")
class TestKubeProxyHeld:
    """Held down once; the last fact is of its return."""

    def test_pods_talk_on(self, experiment: Experiment, held: Scene) -> None:
        """The way from machine to pod is the CNI's."""
        assert fetch(experiment.host, held.pod) == "old"

    def test_old_service_answers(self, experiment: Experiment, held: Scene) -> None:
        """Its rules are in the kernel."""
        assert fetch(experiment.host, held.old) == "old"

    def test_new_service_answers_elsewhere(self, control_plane: Host, held: Scene, margin: float) -> None:
        """Other machines' kube-proxies have made rules for it."""
        wait_for("the new Service answers", lambda: fetch(control_plane, held.new) == "new", within=margin)

    def test_new_service_does_not_answer_here(self, experiment: Experiment, held: Scene) -> None:
        """Nobody has made rules for it on this one."""
        assert fetch(experiment.host, held.new) == ""

    @pytest.mark.usefixtures("let_go")
    def test_new_service_answers_once_it_is_back(self, experiment: Experiment, held: Scene, margin: float) -> None:
        """It catches up with what it missed."""
        wait_for("the new Service answers", lambda: fetch(experiment.host, held.new) == "new", within=margin)
