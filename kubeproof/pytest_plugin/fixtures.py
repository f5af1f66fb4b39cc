"""The fixtures of checks: the cluster, its API, its machines, and the experiments that are made on it.

Each has a name with the prefix kubeproof_, which no other plugin has, and the name without it as an alias.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

import pytest

from kubeproof.pytest_plugin import schedule
from kubeproof.pytest_plugin.cases import PREFIX
from kubeproof.pytest_plugin.stash import HANDOVER, SPEC
from kubeproof.spec import Node, Spec, stated

if TYPE_CHECKING:  # a worker loads the rest when a check first asks for it
    from kubernetes.client.models import V1Node
    from testinfra.host import Host

    from kubeproof.access.api import Api
    from kubeproof.access.cluster import Cluster, Restarts
    from kubeproof.experiments.experiment import Experiment
    from kubeproof.experiments.faults import Provider

    Enter = Callable[[str], Host]


def _fixture(scope: Literal["session", "class", "function"] = "function") -> Callable[[Callable[..., Any]], Any]:
    """A fixture, and its alias without the prefix."""

    def register(function: Callable[..., Any]) -> Any:
        name = function.__name__

        def alias(**values: Any) -> Any:
            return values[name]

        alias.__signature__ = inspect.Signature([inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)])  # type: ignore[attr-defined] # inspect reads it
        alias.__doc__ = function.__doc__
        short = name.removeprefix(PREFIX)
        globals()[short] = pytest.fixture(scope=scope, name=short)(alias)
        return pytest.fixture(scope=scope)(function)

    return register


@_fixture("session")
def kubeproof_spec(pytestconfig: pytest.Config) -> Spec:
    """The spec of the cluster."""
    return pytestconfig.stash[SPEC]


@_fixture("session")
def kubeproof_cluster(pytestconfig: pytest.Config) -> Cluster:
    """The cluster, once it is up; every check asks for it, directly or not."""
    return pytestconfig.stash[HANDOVER].cluster


@_fixture("session")
def kubeproof_enter(kubeproof_cluster: Cluster) -> Enter:
    """Enter a machine by name."""
    from kubeproof.access import ssh

    return lambda name: ssh.enter(name, kubeproof_cluster.ssh_config)


@_fixture("session")
def kubeproof_api(kubeproof_cluster: Cluster) -> Api:
    """The API, as the cluster's administrator."""
    from kubeproof.access.api import Api

    return Api(kubeproof_cluster.kubeconfig)


@_fixture("session")
def kubeproof_restarts(pytestconfig: pytest.Config, kubeproof_cluster: Cluster) -> Restarts:
    """The restarts of kubelets and system containers when the run first looked at the cluster."""
    del kubeproof_cluster
    return pytestconfig.stash[HANDOVER].restarts


@_fixture()
def kubeproof_moment(request: pytest.FixtureRequest) -> str:
    """The time of a check's look: "again" after all experiments, otherwise empty."""
    return str(request.param)


@_fixture()
def kubeproof_node(request: pytest.FixtureRequest, kubeproof_spec: Spec) -> Node:
    """Each node of the spec in turn."""
    return kubeproof_spec.node(request.param)


@_fixture()
def kubeproof_registered_node(kubeproof_api: Api, kubeproof_node: Node) -> V1Node:
    """The node as the API has it; if it is absent, only the check node_is_registered compares."""
    return _registered(kubeproof_api, kubeproof_node.name)


@_fixture()
def kubeproof_worker_node(request: pytest.FixtureRequest, kubeproof_spec: Spec) -> Node:
    """Each worker of the spec in turn."""
    return kubeproof_spec.node(request.param)


@_fixture()
def kubeproof_registered_worker(kubeproof_api: Api, kubeproof_worker_node: Node) -> V1Node:
    """The worker as the API has it."""
    return _registered(kubeproof_api, kubeproof_worker_node.name)


def _registered(api: Api, name: str) -> V1Node:
    from kubernetes.client import ApiException

    try:
        return api.core.read_node(name)
    except ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
    pytest.fail(f"{name} is no node of the cluster: `kubectl get nodes` does not list it", pytrace=False)


@_fixture()
def kubeproof_pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each ordered pair of node names in turn: from, to."""
    source, target = request.param
    return source, target


@_fixture()
def kubeproof_machine(kubeproof_node: Node, kubeproof_enter: Enter) -> Host:
    """The machine of `node`, entered over ssh."""
    return kubeproof_enter(kubeproof_node.name)


@_fixture("session")
def kubeproof_control_plane(kubeproof_spec: Spec, kubeproof_enter: Enter) -> Host:
    """The control plane's machine, entered over ssh."""
    return kubeproof_enter(kubeproof_spec.control_plane.name)


@_fixture("session")
def kubeproof_margin(kubeproof_spec: Spec) -> float:
    """Seconds that a fact may take beyond the cluster's own timers."""
    return stated(kubeproof_spec.experiments.margin_seconds)


@_fixture("class")
def kubeproof_claims(request: pytest.FixtureRequest, kubeproof_spec: Spec) -> str:
    """The node that this class claims for itself, or "the cluster", or "nothing"."""
    items = request.session.items
    units = schedule.plan(items, [worker.name for worker in kubeproof_spec.workers])
    return next(unit.claims for unit in units if getattr(items[unit.items[0]], "cls", None) is request.cls)


@_fixture("class")
def kubeproof_victim(kubeproof_claims: str, kubeproof_spec: Spec) -> Node:
    """The machine on which this class makes its fault: the one that it claims, or the control plane."""
    is_worker = kubeproof_claims not in (schedule.NOTHING, schedule.EVERYTHING)
    return kubeproof_spec.node(kubeproof_claims) if is_worker else kubeproof_spec.control_plane


@_fixture("session")
def kubeproof_provider(kubeproof_cluster: Cluster) -> Provider:
    """The program that made the cluster's machines; it can reboot and provision them."""
    from kubeproof.bring_up import lifecycle

    del kubeproof_cluster
    return lifecycle


@_fixture("session")
def kubeproof_mend(
    kubeproof_cluster: Cluster, kubeproof_enter: Enter, kubeproof_provider: Provider
) -> Callable[[str], object]:
    """Mend the faults that an xdist worker left in a machine when it died."""
    from kubeproof.experiments import faults

    return lambda node: faults.mend_all(kubeproof_enter, kubeproof_provider, kubeproof_cluster.ssh_config, node)


@_fixture("class")
def kubeproof_claimed(
    kubeproof_claims: str, kubeproof_spec: Spec, kubeproof_api: Api, kubeproof_mend: Callable[[str], object]
) -> list[str]:
    """The nodes that this class claims, mended and at rest."""
    from kubeproof.experiments.settling import at_rest

    nodes = [node.name for node in kubeproof_spec.nodes if kubeproof_claims in (node.name, schedule.EVERYTHING)]
    for node in nodes:
        kubeproof_mend(node)
    if nodes:
        at_rest(kubeproof_api, *nodes)
    return nodes


@_fixture("class")
def kubeproof_experiment(  # noqa: PLR0917 # pytest passes fixtures by name
    request: pytest.FixtureRequest,
    kubeproof_api: Api,
    kubeproof_claimed: list[str],
    kubeproof_victim: Node,
    kubeproof_enter: Enter,
    kubeproof_provider: Provider,
) -> Iterator[Experiment]:
    """A namespace of its own, and the machine on which this class makes its fault.

    A watch records the cluster meanwhile; its timeline is kept with the run's results.
    """
    from kubeproof.experiments.experiment import Experiment
    from kubeproof.experiments.traffic import temporary_namespace
    from kubeproof.experiments.watching import Watch
    from kubeproof.results import timeline

    api, victim, spec = kubeproof_api, kubeproof_victim, request.config.stash[SPEC]
    assert not kubeproof_claimed or victim.name in kubeproof_claimed
    with temporary_namespace(api) as namespace, Watch(api.apart(), namespace, victim.name) as watch:
        yield Experiment(api, spec, kubeproof_enter, victim, namespace, watch, kubeproof_provider)
        promise = str(request.module.__doc__).partition("\n\n")[0]
        # TestKubeletStopped as kubelet_stopped
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", request.cls.__name__.removeprefix("Test")).lower()
        recorded = watch.timeline(name, promise)
        if recorded:
            timeline.save(request.config.stash[HANDOVER].report, recorded)
