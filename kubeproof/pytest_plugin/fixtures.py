"""The fixtures of checks: the cluster, its API, its machines, and the experiments that are made on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from kubeproof.pytest_plugin import schedule
from kubeproof.pytest_plugin.stash import HANDOVER, SPEC
from kubeproof.spec import Node, Spec, stated

if TYPE_CHECKING:  # a worker loads the rest when a check first asks for it
    from kubernetes.client.models import V1Node
    from testinfra.host import Host

    from kubeproof.access.api import Api
    from kubeproof.access.cluster import Cluster, Restarts
    from kubeproof.experiments.experiment import Experiment
    from kubeproof.experiments.faults import Provider


@pytest.fixture(scope="session")
def spec(pytestconfig: pytest.Config) -> Spec:
    """The spec of the cluster."""
    return pytestconfig.stash[SPEC]


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Cluster:
    """The cluster, once it is up; every check asks for it, directly or not."""
    return pytestconfig.stash[HANDOVER].cluster


@pytest.fixture(scope="session")
def enter(cluster: Cluster) -> Callable[[str], Host]:
    """Enter a machine by name."""
    from kubeproof.access import ssh

    return lambda name: ssh.enter(name, cluster.ssh_config)


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Api:
    """The API, as the cluster's administrator."""
    from kubeproof.access.api import Api

    return Api(cluster.kubeconfig)


@pytest.fixture(scope="session")
def restarts(pytestconfig: pytest.Config, cluster: Cluster) -> Restarts:
    """The restarts of kubelets and system containers when the run first looked at `cluster`."""
    del cluster
    return pytestconfig.stash[HANDOVER].restarts


@pytest.fixture
def moment(request: pytest.FixtureRequest) -> str:
    """The time of a check's look: "again" after all experiments, else empty."""
    return str(request.param)


@pytest.fixture
def node(request: pytest.FixtureRequest, spec: Spec) -> Node:
    """Each node of the spec in turn."""
    return spec.node(request.param)


@pytest.fixture
def registered_node(api: Api, node: Node) -> V1Node:
    """The node as the API has it; if it is absent, only the check node_is_registered compares."""
    return _registered(api, node.name)


@pytest.fixture
def worker_node(request: pytest.FixtureRequest, spec: Spec) -> Node:
    """Each worker of the spec in turn."""
    return spec.node(request.param)


@pytest.fixture
def registered_worker(api: Api, worker_node: Node) -> V1Node:
    """The worker as the API has it."""
    return _registered(api, worker_node.name)


def _registered(api: Api, name: str) -> V1Node:
    from kubernetes.client import ApiException

    try:
        return api.core.read_node(name)
    except ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
    pytest.fail(f"{name} is no node of the cluster: `kubectl get nodes` does not list it", pytrace=False)


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each ordered pair of node names in turn: from, to."""
    one, other = request.param
    return one, other


@pytest.fixture
def machine(node: Node, enter: Callable[[str], Host]) -> Host:
    """The machine of `node`, entered over ssh."""
    return enter(node.name)


@pytest.fixture(scope="session")
def control_plane(spec: Spec, enter: Callable[[str], Host]) -> Host:
    """The control plane's machine, entered over ssh."""
    return enter(spec.control_plane.name)


@pytest.fixture(scope="session")
def margin(spec: Spec) -> float:
    """Seconds that a fact may take beyond the cluster's own timers."""
    return stated(spec.experiments.margin_seconds)


@pytest.fixture(scope="class")
def claims(request: pytest.FixtureRequest, spec: Spec) -> str:
    """The node that this class claims for itself, or "the cluster", or "nothing"."""
    items = request.session.items
    units = schedule.plan(items, [worker.name for worker in spec.workers])
    return next(unit.claims for unit in units if getattr(items[unit.items[0]], "cls", None) is request.cls)


@pytest.fixture(scope="class")
def victim(claims: str, spec: Spec) -> Node:
    """The machine on which this class makes its fault: the one that it claims, or the control plane."""
    return spec.control_plane if claims in (schedule.NOTHING, schedule.EVERYTHING) else spec.node(claims)


@pytest.fixture(scope="session")
def provider(cluster: Cluster) -> Provider:
    """The program that made the cluster's machines; it can reboot and provision them."""
    from kubeproof.bring_up import lifecycle

    del cluster
    return lifecycle


@pytest.fixture(scope="class")
def claimed(  # noqa: PLR0917 # pytest passes fixtures by name
    claims: str, spec: Spec, api: Api, cluster: Cluster, enter: Callable[[str], Host], provider: Provider
) -> list[str]:
    """The nodes that this class claims, at rest; faults of an xdist worker that died here are mended first."""
    from kubeproof.experiments import faults
    from kubeproof.experiments.settling import at_rest

    nodes = [node.name for node in spec.nodes if claims in (node.name, schedule.EVERYTHING)]
    for node in nodes:
        faults.mend_all(enter, provider, cluster.ssh_config, node)
    if nodes:
        at_rest(api, *nodes)
    return nodes


@pytest.fixture(scope="class")
def experiment(  # noqa: PLR0917 # as above
    request: pytest.FixtureRequest,
    api: Api,
    claimed: list[str],
    victim: Node,
    enter: Callable[[str], Host],
    provider: Provider,
) -> Iterator[Experiment]:
    """A namespace of its own, and the machine on which this class makes its fault.

    A watch records the cluster meanwhile; its timeline is kept with the run's results.
    """
    from kubeproof.experiments.experiment import Experiment
    from kubeproof.experiments.traffic import temporary_namespace
    from kubeproof.experiments.watching import Watch
    from kubeproof.results import timeline

    assert not claimed or victim.name in claimed
    with temporary_namespace(api) as namespace, Watch(api.apart(), namespace, victim.name) as watch:
        yield Experiment(api, request.config.stash[SPEC], enter, victim, namespace, watch, provider)
        promise = str(request.module.__doc__).partition("\n\n")[0]
        # TestKubeletStopped as kubelet_stopped
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", request.cls.__name__.removeprefix("Test")).lower()
        recorded = watch.timeline(name, promise)
        if recorded:
            timeline.save(request.config.stash[HANDOVER].report, recorded)
