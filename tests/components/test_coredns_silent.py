"""CoreDNS silent: without one replica, names are still resolved; without any, none is."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from kubernetes.client.models import V1Pod

from kubeproof.checks import (
    CRICTL,
    Api,
    Experiment,
    Spec,
    at_rest,
    second_connection,
    stated,
    timers,
    wait_for,
    wellknown,
)


def silence(experiment: Experiment, pod: V1Pod, stack: ExitStack) -> None:
    """Stop the replica's process by a signal until the stack is closed."""
    host = experiment.enter(pod.spec.node_name)
    container = host.check_output(f"{CRICTL} ps --quiet --label io.kubernetes.pod.name={pod.metadata.name}")
    pid = host.check_output(f"{CRICTL} inspect --output go-template --template '{{{{.info.pid}}}}' {container}")
    stack.enter_context(
        experiment.fault(
            f"{pod.metadata.name} silent",
            node=pod.spec.node_name,
            make=f"kill -STOP {pid}",
            mend=f"kill -CONT {pid} || true",  # kubelet may have replaced it
            is_in=lambda: wait_for(
                "it is stopped", lambda: host.file(f"/proc/{pid}/stat").content_string.split()[2] == "T", within=5
            ),
            is_mended=lambda: at_rest(experiment.api, pod.spec.node_name),
        )
    )


def ready_replicas(api: Api) -> int:
    """The number of ready endpoints of CoreDNS's Service."""
    slices = api.discovery.list_namespaced_endpoint_slice(
        wellknown.SYSTEM_NAMESPACE, label_selector=f"{wellknown.SERVICE_LABEL}={wellknown.COREDNS_SERVICE}"
    ).items
    return len({end.target_ref.name for part in slices for end in part.endpoints or [] if end.conditions.ready})


def api_name(spec: Spec) -> str:
    """The name of the API's Service."""
    return f"{wellknown.API_SERVICE}.{wellknown.DEFAULT_NAMESPACE}.svc.{spec.kubernetes.dns_domain}"


def resolved(experiment: Experiment, asking: V1Pod) -> list[str]:
    """The addresses that a pod gets for that name."""
    dig = ["dig", "+short", "+time=1", "+tries=1", api_name(experiment.spec)]
    return experiment.api.execute(asking, *dig).splitlines()


@pytest.fixture(scope="class")
def address(spec: Spec) -> str:
    """The address of the API's Service."""
    return str(next(stated(spec.networks.service).hosts()))


@pytest.fixture(scope="class")
def asking(experiment: Experiment, spec: Spec, address: str) -> V1Pod:
    """A pod on a worker that resolves a name once a second."""
    node = spec.workers[0].name
    pod, host = experiment.running("asking", node), experiment.enter(node)
    container = host.check_output(f"{CRICTL} ps --quiet --label io.kubernetes.pod.uid={pod.metadata.uid}")
    dig = f"crictl exec {container} dig +short +time=1 +tries=1 {api_name(spec)}"
    connection = second_connection(host)
    experiment.watch.ask("a name, from a pod", lambda: connection.run(dig).stdout.splitlines() == [address])
    return pod


@pytest.fixture(scope="class")
def silent(experiment: Experiment, asking: V1Pod) -> Iterator[list[ExitStack]]:
    """Every replica is silent; closing a stack lets one of them answer again."""
    assert asking.spec.node_name
    with ExitStack() as all_stacks:
        stacks = [all_stacks.enter_context(ExitStack()) for _ in experiment.api.pods(wellknown.COREDNS_PODS)]
        for stack, pod in zip(stacks, experiment.api.pods(wellknown.COREDNS_PODS), strict=True):
            silence(experiment, pod, stack)
        yield stacks


@pytest.fixture(scope="class")
def one_silent(silent: list[ExitStack]) -> ExitStack:
    """All but the first answer again, before kubelet's liveness probe restarts the silent ones after a minute."""
    for stack in silent[1:]:
        stack.close()
    return silent[0]


@pytest.fixture(scope="class")
def none_silent(one_silent: ExitStack) -> None:
    """All replicas answer again."""
    one_silent.close()


@pytest.mark.experiment(claims="the cluster", lasts=45)
@pytest.mark.needs("components.coredns", "kubernetes.dns_domain", "networks.service")
class TestCorednsSilent:
    """All replicas are silent, then one, then none."""

    @pytest.mark.usefixtures("silent")
    def test_no_name_is_found_without_any(self, experiment: Experiment, asking: V1Pod, address: str) -> None:
        """Without any replica, a pod can't resolve the name of a Service."""
        assert address not in resolved(experiment, asking)

    @pytest.mark.usefixtures("one_silent")
    def test_silent_replica_leaves_its_service(self, api: Api, margin: float) -> None:
        """CoreDNS's Service no longer sends requests to the silent replica."""
        wait_for(
            "one replica is not ready",
            lambda: (ready_replicas(api), len(api.pods(wellknown.COREDNS_PODS))),
            until=lambda counts: counts[0] == counts[1] - 1,
            within=timers.readiness(api.pods(wellknown.COREDNS_PODS)[0])[0] + margin,
        )

    @pytest.mark.usefixtures("one_silent")
    def test_names_are_found_by_the_other(self, experiment: Experiment, asking: V1Pod, address: str) -> None:
        """With one silent replica, a pod resolves a name ten times in a row."""
        assert [resolved(experiment, asking) for _ in range(10)] == [[address]] * 10

    @pytest.mark.usefixtures("none_silent")
    def test_all_are_ready_again(self, api: Api, margin: float) -> None:
        """All replicas are ready again once they answer."""
        wait_for(
            "every replica is ready",
            lambda: (ready_replicas(api), len(api.pods(wellknown.COREDNS_PODS))),
            until=lambda counts: counts[0] == counts[1],
            within=timers.readiness(api.pods(wellknown.COREDNS_PODS)[0])[1] + margin,
        )
