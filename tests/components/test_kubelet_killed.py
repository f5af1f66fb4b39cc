"""kubelet killed on a worker: systemd starts it again, and nobody else notices."""

from collections.abc import Iterator

import pytest

from kubeproof.checks import Experiment, at_rest, condition, stability, timers, wait_for


@pytest.fixture(scope="class")
def starts_before(experiment: Experiment) -> int:
    """How often systemd had started it again before."""
    return stability.kubelet_restarts(experiment.host)


@pytest.fixture(scope="class")
def killed(experiment: Experiment, starts_before: int) -> Iterator[None]:
    """kubelet's process, killed; what mends it is systemd."""
    host = experiment.host
    before = host.check_output("pidof kubelet")
    with experiment.fault(
        "kubelet killed",
        make="kill -KILL $(pidof kubelet)",
        mend="systemctl is-active --quiet kubelet || systemctl start kubelet",
        is_in=lambda: wait_for("its process is gone", lambda: before not in host.run("pidof kubelet").stdout, within=5),
        is_mended=lambda: at_rest(experiment.api, experiment.node.name),
        heals=True,
    ):
        assert starts_before >= 0
        yield


@pytest.mark.experiment(claims="a node", lasts=12)
@pytest.mark.usefixtures("killed")
@pytest.mark.needs("components.kubelet")
class TestKubeletKilled:
    """Killed once; nobody's hand mends it."""

    def test_systemd_starts_it_again(self, experiment: Experiment, starts_before: int, margin: float) -> None:
        """After the pause that its unit asks for."""
        wait_for(
            "systemd counts another start",
            lambda: stability.kubelet_restarts(experiment.host),
            until=lambda count: count == starts_before + 1,
            within=timers.kubelet_restart(experiment.host) + margin,
        )

    def test_it_runs_again(self, experiment: Experiment, margin: float) -> None:
        """And answers for its health."""
        healthz = "curl --fail --silent --max-time 2 http://127.0.0.1:10248/healthz"
        wait_for("healthz is ok", lambda: experiment.host.run(healthz).stdout == "ok", within=margin)

    def test_node_stays_ready(self, experiment: Experiment) -> None:
        """It is back long before its node is missed."""
        assert condition(experiment.api.core.read_node(experiment.node.name), "Ready") == "True"
