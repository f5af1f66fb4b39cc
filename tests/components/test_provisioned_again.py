"""Provisioned again: no script changes anything, and no traffic is cut."""

from collections.abc import Callable

import pytest
from testinfra.host import Host

from kubeproof.checks import Experiment, Node, Spec, fetch, package_manager, pod_url, wait_for

FILES = (
    "find /etc /root /var/lib/kubelet/config.yaml /var/lib/kubelet/kubeadm-flags.env -xdev -type f "
    "-not -path '/root/.kube/cache/*' -exec sha256sum {} + | sort -k 2"
)
UNITS = "systemctl list-unit-files --no-legend --no-pager"


def listings(enter: Callable[[str], Host], spec: Spec) -> dict[str, dict[str, list[str]]]:
    """The files, packages and units of each machine, by node and kind."""
    return {
        node.name: {
            "files": enter(node.name).check_output(FILES).splitlines(),
            "packages": package_manager.installed(enter(node.name)),
            "units": enter(node.name).check_output(UNITS).splitlines(),
        }
        for node in spec.nodes
    }


@pytest.fixture(scope="class")
def served(experiment: Experiment, spec: Spec, control_plane: Host, margin: float) -> None:
    """A pod on a worker and its Service are asked once a second."""
    pod = experiment.running("served", spec.workers[0].name)
    service = experiment.serve(pod)
    wait_for("the Service answers", lambda: fetch(control_plane, service) == "served", within=margin)
    experiment.ask("the pod, from the control plane", control_plane, pod_url(pod), "served")
    experiment.ask("its Service, from the control plane", control_plane, service, "served")


@pytest.fixture(scope="class")
def before(enter: Callable[[str], Host], spec: Spec) -> dict[str, dict[str, list[str]]]:
    """The listings before provisioning again."""
    return listings(enter, spec)


@pytest.fixture(scope="class")
def after(
    experiment: Experiment,
    served: None,
    before: dict[str, dict[str, list[str]]],
    enter: Callable[[str], Host],
    spec: Spec,
) -> dict[str, dict[str, list[str]]]:
    """The listings after every script has succeeded again on every machine."""
    assert before
    assert served is None
    with experiment.made_good("provisioned again"):
        experiment.provider.provision_again()
    return listings(enter, spec)


@pytest.mark.experiment(claims="the cluster", lasts=40)
@pytest.mark.needs("scripts")
class TestProvisionedAgain:
    """All machines are provisioned once more."""

    @pytest.mark.step("config.sh", "hosts")
    @pytest.mark.parametrize("listing", ["files", "packages", "units"])
    def test_provisioning_again_changes_nothing(
        self,
        before: dict[str, dict[str, list[str]]],
        after: dict[str, dict[str, list[str]]],
        node: Node,
        listing: str,
    ) -> None:
        """Provisioning again leaves the machine's files, packages and units as they were."""
        assert set(after[node.name][listing]) ^ set(before[node.name][listing]) == set()

    @pytest.mark.usefixtures("after")
    def test_no_traffic_is_cut(self, experiment: Experiment) -> None:
        """A pod and its Service answer every request while the scripts run."""
        assert experiment.watch.unanswered() == []
