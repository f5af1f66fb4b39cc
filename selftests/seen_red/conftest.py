"""Faults are made on real clusters: each cluster is brought up once and destroyed; --keep-cluster leaves it up."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from kubeproof.process import paths
from kubeproof.results.model import Result
from kubeproof.spec import load
from selftests import beside
from selftests.seen_red.kept_cluster import KeptCluster, red

LAB = "kubeproof-red"
NO_CASE = SimpleNamespace(params={})
# Checks of what the lab's machines share with their host: here they judge the host.
HOST_CHECKS = ("apparmor_denies_nothing", "clock_skew", "cpus", "memory")


@pytest.fixture(autouse=True)
def own_state() -> None:
    """All tests share the lab of `kept`, instead of a state folder for each test."""


@pytest.fixture(scope="session")
def spec(bundled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled cluster on other ports of the host, with every check that its machines can answer.

    No risk is accepted: a risk that the bundled spec accepts is red throughout.
    """
    document = beside.described(ports=3000, spec=bundled)
    document["accepted_risks"] = {}
    document["kubernetes"]["coredns_spread"] = True
    for node in document["nodes"]:
        node["cpus"] = os.cpu_count()
    machines = document["systems"][document["providers"]["docker"]]
    machines["cgroup_version"] = 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1
    for check in HOST_CHECKS:
        del machines["not_applicable"][check]
    return beside.written(document, tmp_path_factory.mktemp("spec"))


@pytest.fixture(scope="session")
def kept(
    bundled: Path, spec: Path, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[KeptCluster]:
    """The cluster, up; this process uses the same lab."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBEPROOF_LAB", LAB)
        accepted = frozenset(load(bundled).accepted_risks)
        yield KeptCluster(spec, paths.state(), tmp_path_factory.mktemp("reports"), accepted)
        if not pytestconfig.getoption("kubeproof_keep_cluster"):
            subprocess.run([sys.executable, "-m", "kubeproof", "destroy"], cwd=paths.CHECKOUT, check=True)


@pytest.fixture(scope="session", autouse=True)
def whole(kept: KeptCluster) -> Iterator[list[Result]]:
    """Before the first fault and after the last, nothing is red but the risks that the bundled spec accepts.

    Yields the results from before the first fault.
    """
    before = kept.judge("not coredns_spread")
    assert red(before) == kept.throughout
    # kubeadm started all replicas before any worker existed, so they share one node.
    dns = "kubectl --namespace kube-system rollout {} deployment coredns"
    kept.enter(kept.control_plane).check_output(f"{dns.format('restart')} && {dns.format('status')} --timeout 90s")
    yield before
    assert red(kept.judge()) == kept.throughout


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by cluster, so that each is brought up once."""
    items.sort(key=lambda item: getattr(item, "callspec", NO_CASE).params.get("bundled", paths.DEFAULT_SPEC))
