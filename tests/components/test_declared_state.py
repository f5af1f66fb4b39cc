"""Declared state is reached and kept: the cluster follows a deployment, and repairs it."""

from collections.abc import Callable

import pytest
from testinfra.host import Host

from kubeproof.checks import CRICTL, TALKER_LABEL, Experiment, wait_for


@pytest.fixture(scope="class")
def deployed(experiment: Experiment) -> None:
    """A deployment of two pods."""
    experiment.deploy("declared", replicas=2)


@pytest.mark.experiment(claims="nothing")
@pytest.mark.usefixtures("deployed")
@pytest.mark.needs("components.containerd")
class TestDeclaredState:
    """One deployment, which each check changes further."""

    @pytest.mark.step("master_node.sh", "kubeadm-init")
    def test_created_pods_are_spread(self, experiment: Experiment) -> None:
        """The scheduler spreads a deployment's two pods over the workers."""
        nodes = [pod.spec.node_name for pod in experiment.pods("declared")]
        assert len(set(nodes)) == min(2, len(experiment.spec.workers))

    @pytest.mark.step("master_node.sh", "kubeadm-init")
    def test_an_edit_is_rolled_out(self, experiment: Experiment) -> None:
        """An edit of a deployment replaces all its pods."""
        labels = {"app": "talker", TALKER_LABEL: "declared", "edited": "yes"}
        experiment.edit("declared", template={"metadata": {"labels": labels}})
        experiment.converged("declared", 2)
        wait_for(
            "all pods are of the new template",
            lambda: [pod.metadata.labels.get("edited") for pod in experiment.pods("declared")],
            until=lambda labels: labels == ["yes"] * 2,
            within=60,
        )

    @pytest.mark.step("master_node.sh", "kubeadm-init")
    def test_scaling_is_followed(self, experiment: Experiment) -> None:
        """A deployment that is scaled to three has three Ready pods."""
        experiment.edit("declared", replicas=3)
        experiment.converged("declared", 3)

    @pytest.mark.step("master_node.sh", "kubeadm-init")
    def test_a_deleted_pod_is_replaced(self, experiment: Experiment) -> None:
        """A deployment replaces a deleted pod."""
        name = experiment.pods("declared")[0].metadata.name
        with experiment.made_good(f"{name} deleted"):
            experiment.api.core.delete_namespaced_pod(name, experiment.namespace)
            wait_for(
                "it is gone", lambda: name not in [pod.metadata.name for pod in experiment.pods("declared")], within=60
            )
            experiment.converged("declared", 3)

    @pytest.mark.step("install_pkg.sh", "kubelet-enabled")
    def test_a_killed_container_is_started_again(self, experiment: Experiment, enter: Callable[[str], Host]) -> None:
        """kubelet restarts a killed container in the same pod."""
        pod = experiment.pods("declared")[0]
        container = f"{CRICTL} ps --quiet --label io.kubernetes.pod.uid={pod.metadata.uid}"
        enter(pod.spec.node_name).check_output(f"{CRICTL} stop --timeout 0 $({container})")
        wait_for(
            "the container is started again",
            lambda: experiment.read(pod.metadata.name).status.container_statuses[0].restart_count,
            until=lambda count: count == 1,
            within=60,
        )
        experiment.ready(pod.metadata.name)

    @pytest.mark.step("master_node.sh", "kubeadm-init")
    def test_a_deleted_deployment_takes_its_pods_along(self, experiment: Experiment) -> None:
        """A deleted deployment's pods are deleted, too."""
        experiment.api.apps.delete_namespaced_deployment("declared", experiment.namespace)
        wait_for("no pod is left", lambda: experiment.pods("declared"), until=lambda pods: pods == [], within=60)
