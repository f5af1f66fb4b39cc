"""Faults are made on real clusters: each is brought up for all of its, and destroyed; --keep-cluster leaves it up."""

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
# What the lab's machines share with their host, and can be judged by all the same where it is the host that counts.
OF_THE_HOST = ("apparmor_denies_nothing", "clock_skew", "cpus", "memory")


@pytest.fixture(autouse=True)
def own_state() -> None:
    """Not a state of its own for each test: see `kept`."""


@pytest.fixture(scope="session")
def spec(bundled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That bundled cluster on other ports of the host, of which everything is judged that its machines can answer.

    No risk is accepted: what the bundled spec accepts is red here from beginning to end.
    """
    document = beside.described(ports=3000, spec=bundled)
    document["accepted_risks"] = {}
    document["kubernetes"]["coredns_spread"] = True
    for node in document["nodes"]:
        node["cpus"] = os.cpu_count()
    machines = document["systems"][document["providers"]["docker"]]
    machines["cgroup_version"] = 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1
    for check in OF_THE_HOST:
        del machines["not_applicable"][check]
    return beside.written(document, tmp_path_factory.mktemp("spec"))


@pytest.fixture(scope="session")
def kept(
    bundled: Path, spec: Path, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[KeptCluster]:
    """That cluster, up; its ways on this machine are this process's, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBEPROOF_LAB", LAB)
        accepted = frozenset(load(bundled).accepted_risks)
        yield KeptCluster(spec, paths.state(), tmp_path_factory.mktemp("reports"), accepted)
        if not pytestconfig.getoption("keep_cluster"):
            subprocess.run([sys.executable, "-m", "kubeproof", "destroy"], cwd=paths.CHECKOUT, check=True)


@pytest.fixture(scope="session", autouse=True)
def whole(kept: KeptCluster) -> Iterator[list[Result]]:
    """Without a fault of ours nothing is red but what the spec accepts: before the first, and when the last is mended.

    Gives what was judged before.
    """
    before = kept.judge("not coredns_spread")
    assert red(before) == kept.throughout
    # kubeadm started its replicas where they could run then: all on one node.
    dns = "kubectl --namespace kube-system rollout {} deployment coredns"
    kept.enter(kept.control_plane).check_output(f"{dns.format('restart')} && {dns.format('status')} --timeout 90s")
    yield before
    assert red(kept.judge()) == kept.throughout


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One cluster after the other, so that each is brought up once."""
    items.sort(key=lambda item: getattr(item, "callspec", NO_CASE).params.get("bundled", paths.DEFAULT_SPEC))
