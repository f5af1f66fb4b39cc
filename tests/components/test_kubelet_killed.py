"""kubelet killed on a worker: systemd starts it again before the cluster notices."""

from collections.abc import Iterator

import pytest

from kubeproof.checks import Experiment, at_rest, condition, stability, timers, wait_for, wellknown


@pytest.fixture(scope="class")
def starts_before(experiment: Experiment) -> int:
    """systemd's count of kubelet restarts before the fault."""
    return stability.kubelet_restarts(experiment.host)


@pytest.fixture(scope="class")
def killed(experiment: Experiment, starts_before: int) -> Iterator[None]:
    """kubelet's process is killed, and systemd mends it."""
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
    """kubelet is killed once, and the checks only watch."""

    def test_systemd_starts_it_again(self, experiment: Experiment, starts_before: int, margin: float) -> None:
        """systemd starts kubelet again after the pause of its unit."""
        wait_for(
            "systemd counts another start",
            lambda: stability.kubelet_restarts(experiment.host),
            until=lambda count: count == starts_before + 1,
            within=timers.kubelet_restart(experiment.host) + margin,
        )

    def test_it_runs_again(self, experiment: Experiment, margin: float) -> None:
        """kubelet runs again and reports that it is healthy."""
        url = f"http://127.0.0.1:{wellknown.KUBELET_HEALTH_PORT}/healthz"
        healthz = f"curl --fail --silent --max-time 2 {url}"
        wait_for("healthz is ok", lambda: experiment.host.run(healthz).stdout == "ok", within=margin)

    def test_node_stays_ready(self, experiment: Experiment) -> None:
        """The node stays Ready: kubelet is back before the grace period ends."""
        assert condition(experiment.api.core.read_node(experiment.node.name), "Ready") == "True"
