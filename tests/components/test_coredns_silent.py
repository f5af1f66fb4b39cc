"""CoreDNS silent: one replica of two is done without; without any, no name is found."""

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

SELECTOR = "k8s-app=kube-dns"


def silence(experiment: Experiment, pod: V1Pod, stack: ExitStack) -> None:
    """Hold the replica's process down until the stack is unwound."""
    host = experiment.enter(pod.spec.node_name)
    container = host.check_output(f"{CRICTL} ps --quiet --label io.kubernetes.pod.name={pod.metadata.name}")
    pid = host.check_output(f"{CRICTL} inspect --output go-template --template '{{{{.info.pid}}}}' {container}")
    stack.enter_context(
        experiment.fault(
            f"{pod.metadata.name} silent",
            node=pod.spec.node_name,
            make=f"kill -STOP {pid}",
            mend=f"kill -CONT {pid} || true",  # kubelet may have given it up, and started another
            is_in=lambda: wait_for(
                "it is held", lambda: host.file(f"/proc/{pid}/stat").content_string.split()[2] == "T", within=5
            ),
            is_mended=lambda: at_rest(experiment.api, pod.spec.node_name),
        )
    )


def ready_replicas(api: Api) -> int:
    """How many replicas their Service knows to be ready."""
    slices = api.discovery.list_namespaced_endpoint_slice(
        wellknown.SYSTEM_NAMESPACE, label_selector="kubernetes.io/service-name=kube-dns"
    ).items
    return len({end.target_ref.name for one in slices for end in one.endpoints or [] if end.conditions.ready})


def name(spec: Spec) -> str:
    """The API's Service's."""
    return f"kubernetes.default.svc.{spec.kubernetes.dns_domain}"


def found(experiment: Experiment, asking: V1Pod) -> list[str]:
    """What a pod is told of that name."""
    dig = ["dig", "+short", "+time=1", "+tries=1", name(experiment.spec)]
    return experiment.api.execute(asking, *dig).splitlines()


@pytest.fixture(scope="class")
def address(spec: Spec) -> str:
    """The API's Service's."""
    return str(next(stated(spec.networks.service).hosts()))


@pytest.fixture(scope="class")
def asking(experiment: Experiment, spec: Spec, address: str) -> V1Pod:
    """A pod on a worker that asks for names."""
    node = spec.workers[0].name
    pod, host = experiment.running("asking", node), experiment.enter(node)
    container = host.check_output(f"{CRICTL} ps --quiet --label io.kubernetes.pod.uid={pod.metadata.uid}")
    dig = f"crictl exec {container} dig +short +time=1 +tries=1 {name(spec)}"
    other = second_connection(host)
    experiment.watch.ask("a name, from a pod", lambda: other.run(dig).stdout.splitlines() == [address])
    return pod


@pytest.fixture(scope="class")
def silent(experiment: Experiment, asking: V1Pod) -> Iterator[list[ExitStack]]:
    """Every replica is silent; unwinding its stack lets one answer again."""
    assert asking.spec.node_name
    with ExitStack() as whole:
        stacks = [whole.enter_context(ExitStack()) for _ in experiment.api.pods(SELECTOR)]
        for stack, pod in zip(stacks, experiment.api.pods(SELECTOR), strict=True):
            silence(experiment, pod, stack)
        yield stacks


@pytest.fixture(scope="class")
def one_silent(silent: list[ExitStack]) -> ExitStack:
    """All but the first answer again: within the minute in which kubelet's liveness probe would start it anew."""
    for stack in silent[1:]:
        stack.close()
    return silent[0]


@pytest.fixture(scope="class")
def none_silent(one_silent: ExitStack) -> None:
    """All answer again."""
    one_silent.close()


@pytest.mark.experiment(claims="the cluster", lasts=45)
@pytest.mark.needs("components.coredns", "kubernetes.dns_domain", "networks.service")
class TestCoreDnsSilent:
    """All are silent, then one, then none."""

    @pytest.mark.usefixtures("silent")
    def test_no_name_is_found_without_any(self, experiment: Experiment, asking: V1Pod, address: str) -> None:
        """Nobody else knows the cluster's names."""
        assert address not in found(experiment, asking)

    @pytest.mark.usefixtures("one_silent")
    def test_silent_replica_leaves_its_service(self, api: Api, margin: float) -> None:
        """Nobody is sent to it any more."""
        wait_for(
            "one replica is not ready",
            lambda: (ready_replicas(api), len(api.pods(SELECTOR))),
            until=lambda counts: counts[0] == counts[1] - 1,
            within=timers.readiness(api.pods(SELECTOR)[0])[0] + margin,
        )

    @pytest.mark.usefixtures("one_silent")
    def test_names_are_found_by_the_other(self, experiment: Experiment, asking: V1Pod, address: str) -> None:
        """Ten times in a row."""
        assert [found(experiment, asking) for _ in range(10)] == [[address]] * 10

    @pytest.mark.usefixtures("none_silent")
    def test_all_are_ready_again(self, api: Api, margin: float) -> None:
        """As soon as they answer."""
        wait_for(
            "every replica is ready",
            lambda: (ready_replicas(api), len(api.pods(SELECTOR))),
            until=lambda counts: counts[0] == counts[1],
            within=timers.readiness(api.pods(SELECTOR)[0])[1] + margin,
        )
