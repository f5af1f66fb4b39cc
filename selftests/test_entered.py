"""A cluster that another program brought up: what of it is judged."""

import datetime
from pathlib import Path

import pytest
import yaml

from kubeproof.access.cluster import Cluster
from kubeproof.bring_up.prepared import PreparedCluster
from kubeproof.process import paths
from kubeproof.results import blame
from kubeproof.results.steps import BringUpFailed

CHECKS = """
    def test_cluster(cluster): pass
    def test_node(cluster, node): pass
    def test_worker(cluster, worker_node): pass
    def test_pair(cluster, pair): pass
"""


def entered(folder: Path, *machines: str, failure: BringUpFailed | None = None) -> Path:
    """The file that says how it is entered."""
    cluster = Cluster(
        stamp="",
        checkout=paths.CHECKOUT,
        spec=paths.DEFAULT_SPEC,
        kubeconfig=folder / "kubeconfig",
        ssh_config=folder / "ssh_config",
        since=datetime.datetime.now(datetime.UTC),
    )
    file = folder / "entered.json"
    PreparedCluster(cluster=cluster, machines=[*machines], failure=failure, settle_seconds=1).write(file)
    return file


def collected(pytester: pytest.Pytester, *options: str) -> set[str]:
    """The tests, by name and case."""
    lines = pytester.runpytest_subprocess("--collect-only", "-q", *options).outlines
    return {line.partition("::test_")[2] for line in lines if "::" in line and "again" not in line}


def test_of_named_machines_alone_is_judged_what_is_theirs(pytester: pytest.Pytester) -> None:
    """And the ways between them and others."""
    pytester.makepyfile(CHECKS)
    others = ("m-k8s", "w1-k8s", "w2-k8s")
    assert collected(pytester, f"--entered={entered(pytester.path, 'w3-k8s')}") == {
        "node[w3-k8s]",
        "worker[w3-k8s]",
        *(f"pair[w3-k8s-to-{other}]" for other in others),
        *(f"pair[{other}-to-w3-k8s]" for other in others),
    }


def test_with_no_machine_named_all_is_judged(pytester: pytest.Pytester) -> None:
    """As of a cluster of one's own."""
    pytester.makepyfile(CHECKS)
    assert collected(pytester, f"--entered={entered(pytester.path)}") == collected(pytester)


def test_one_machine_has_no_way_to_another(pytester: pytest.Pytester) -> None:
    """A check of pairs is left out, rather than skipped."""
    pytester.makepyfile(CHECKS)
    document = yaml.safe_load(paths.DEFAULT_SPEC.read_text())
    alone = {**document, "scripts": str(paths.DEFAULT_SPEC.parent.parent), "nodes": document["nodes"][:1]}
    file = pytester.path / "spec.yaml"
    file.write_text(yaml.safe_dump(alone))
    assert collected(pytester, f"--cluster={file}") == {"cluster", "node[m-k8s]"}


def test_a_failed_bring_up_is_told_as_it_was(pytester: pytest.Pytester) -> None:
    """In the one red report that it is; what was owed before it would be judged."""
    failure = BringUpFailed("it broke", "config.sh", "hosts", {"w3-k8s": ("config.sh", "hosts")})
    assert failure.reached == {"w3-k8s": ("config.sh", "hosts")}
    pytester.makepyfile(CHECKS)
    result = pytester.runpytest_subprocess(f"--entered={entered(pytester.path, failure=failure)}")
    result.stdout.fnmatch_lines(["*NOT PROVED: 1 of 1 checks failed*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_machines_without_a_cluster_are_only_looked_at(pytester: pytest.Pytester) -> None:
    """What the steps before the failed one owe is judged: once, and without an experiment."""
    pytester.makepyfile("""
        import pytest

        @pytest.mark.step("config.sh", "hosts")
        def test_read(cluster, node): pass

        @pytest.mark.step("install_pkg.sh", "kube-packages")
        def test_later(cluster, node): pass

        @pytest.mark.step("config.sh", "hosts")
        def test_of_the_cluster(cluster, api, node): pass

        @pytest.mark.step("config.sh", "hosts")
        @pytest.mark.usefixtures("api")
        def test_of_a_pod(cluster, node): pass

        @pytest.mark.step("config.sh", "hosts")
        @pytest.mark.after_experiments
        def test_last(cluster, node): pass

        @pytest.mark.experiment(claims="the cluster")
        class TestWhole:
            @pytest.mark.step("config.sh", "hosts")
            def test_fact(self, cluster, node): pass
    """)
    reached = dict.fromkeys(("m-k8s", "w1-k8s"), ("install_pkg.sh", "admin-tools"))
    failure = BringUpFailed("it broke", "install_pkg.sh", "admin-tools", reached)
    result = pytester.runpytest_subprocess("-v", f"--entered={entered(pytester.path, failure=failure)}")
    assert {line.partition("::test_")[2].partition(" ")[0] for line in result.outlines if "PASSED" in line} == {
        f"read[{name}]" for name in reached
    }


def test_a_red_fact_of_a_machine_is_told_where_no_cluster_came_to_be(pytester: pytest.Pytester) -> None:
    """Its evidence can't have what the API would say."""
    pytester.makepyfile("""
        import pytest

        @pytest.fixture(scope="session")
        def kubeproof_control_plane(): return "no machine"

        @pytest.mark.step("config.sh", "hosts")
        def test_red(cluster, control_plane): assert control_plane == ""
    """)
    failure = BringUpFailed("it broke", reached={"m-k8s": ("master_node.sh", blame.END)})
    result = pytester.runpytest_subprocess(f"--entered={entered(pytester.path, failure=failure)}")
    result.stdout.fnmatch_lines(["*NOT PROVED: 2 of 2 checks failed*"])
