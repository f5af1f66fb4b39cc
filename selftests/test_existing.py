"""A cluster that exists is judged by what its spec states, and never changed unless its owner says so by name."""

import datetime
import json
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from testinfra.backend.local import LocalBackend
from testinfra.host import Host

from kubeproof.access.existing import NO_SSH, enter
from kubeproof.access.ssh import Unreachable
from kubeproof.bring_up import lifecycle
from kubeproof.experiments import faults
from kubeproof.process import paths
from kubeproof.results.store import read
from kubeproof.spec import Existing, NotStated, SpecError, load, stated

NODES = [
    {"name": "ip-10-0-0-1.ec2.internal", "role": "control-plane", "address": "10.0.0.1"},
    {"name": "ip-10-0-0-2.ec2.internal", "role": "worker", "address": "10.0.0.2"},
]


class ApiServer(BaseHTTPRequestHandler):
    """What stands in for an API server: it has a version, lists nothing, and notes what would change it."""

    changes: list[str]

    def do_GET(self) -> None:
        """Answer in JSON."""
        known: dict[str, Any] = {"items": []}
        if self.path.startswith("/version"):
            keys = ("buildDate", "compiler", "gitCommit", "gitTreeState", "goVersion", "major", "minor", "platform")
            known = {**dict.fromkeys(keys, ""), "gitVersion": "v1.33.1-eks-508b6b3"}
        body = json.dumps(known).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Note it."""
        self.changes.append(self.path)
        self.send_error(403)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """One on loopback."""
    monkeypatch.setattr(ApiServer, "changes", [], raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), ApiServer) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def kubeconfig(tmp_path: Path, server: ThreadingHTTPServer) -> Path:
    """Of that server."""
    file = tmp_path / "kubeconfig"
    write_kubeconfig(file, f"http://127.0.0.1:{server.server_port}", "mine")
    return file


def write_kubeconfig(file: Path, url: str, *names: str) -> None:
    """A kubeconfig with a context of each name."""
    known = {
        "clusters": [{"name": name, "cluster": {"server": url}} for name in names],
        "users": [{"name": name, "user": {}} for name in names],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in names],
        "current-context": names[0],
    }
    file.write_text(yaml.safe_dump(known))


def written(folder: Path, **known: Any) -> Path:
    """A spec of an existing cluster, its kubeconfig beside it, that states that and no more."""
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump({"name": "mine", "provider": "existing", "kubeconfig": "kubeconfig", **known}))
    return file


def existing(folder: Path, **known: Any) -> Existing:
    """That spec, loaded."""
    spec = load(written(folder, **known))
    assert isinstance(spec, Existing)
    return spec


def test_three_lines_are_a_spec(tmp_path: Path, kubeconfig: Path) -> None:
    """Name, provider and kubeconfig, from the spec's own folder."""
    spec = existing(tmp_path)
    assert (spec.name, spec.kubeconfig, spec.ssh, spec.nodes) == ("mine", kubeconfig, False, [])


def test_the_readmes_example_is_a_spec(tmp_path: Path, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands there, once its files are there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    kubeconfig.rename(tmp_path / "shop.kubeconfig")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/shop").touch()
    shown = (paths.CHECKOUT / "README.md").read_text().partition("    name: shop\n")[1:]
    (tmp_path / "shop.yaml").write_text(textwrap.dedent("".join(shown).partition("\n\n")[0]))
    spec = load(tmp_path / "shop.yaml")
    assert (spec.control_plane.name, [node.name for node in spec.workers], spec.ssh) == ("node1", ["node2"], True)


@pytest.mark.parametrize(
    ("known", "path", "is_stated"),
    [
        ({}, "networks.pod", False),
        ({"networks": {"pod": "10.1.0.0/16"}}, "networks.pod", True),
        ({"networks": {"pod": "10.1.0.0/16"}}, "networks.service", False),
        ({"nodes": NODES}, "nodes.address", True),
        ({"nodes": [*NODES, {"name": "third"}]}, "nodes.address", False),
        ({"nodes": NODES}, "control_plane", True),
        ({"nodes": NODES[1:]}, "control_plane", False),
        ({"components": ["calico"]}, "components.calico", True),
        ({"components": ["calico"]}, "components.kubeadm", False),
        ({"components": ["flannel"]}, "network_plugin", True),
        ({"components": ["kubeadm"]}, "network_plugin", False),
        ({"flannel": {"backend": "host-gw"}}, "pod_mtu", True),
        ({"components": ["flannel"]}, "pod_mtu", False),
        ({"machine": {"sysctls": {"net.ipv4.ip_forward": 1}}}, "machine.sysctls.net.ipv4.ip_forward", True),
        ({"machine": {"sysctls": {}}}, "machine.sysctls", False),
        ({"system": {"nameservers": ["10.0.0.53"]}}, "machines.nameservers", True),
        ({}, "machines.nameservers", False),
    ],
)
def test_a_spec_knows_what_it_states(
    tmp_path: Path, kubeconfig: Path, known: dict[str, Any], path: str, *, is_stated: bool
) -> None:
    """By the path of keys."""
    assert kubeconfig.exists()
    assert existing(tmp_path, **known).states(path) is is_stated


def test_what_is_not_stated_can_not_be_read(tmp_path: Path, kubeconfig: Path) -> None:
    """The error names the mark that a check lacks."""
    assert kubeconfig.exists()
    with pytest.raises(NotStated, match=r"leaves out a value that is read: a check names it in @pytest.mark.needs"):
        stated(existing(tmp_path, networks={"service": "10.96.0.0/12"}).networks.pod)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"kubeconfig": "nowhere"}, "kubeconfig: {folder}/nowhere does not exist"),
        ({"ssh_config": "nowhere"}, "ssh_config: {folder}/nowhere does not exist"),
        ({"kubeconfig": "mine.yaml"}, "kubeconfig: {folder}/mine.yaml can't be read as one"),
        ({"kubeconfig": "two"}, "kubeconfig: {folder}/two has 2 contexts, and must have one"),
        ({"scripts": "."}, "scripts: is for clusters that Vagrant makes; this one exists"),
        ({"networks": {"pod": "10.1.1.0/16"}}, "networks.pod: '10.1.1.0/16' has host bits set"),
        ({"networks": {"pod": "10.1.0.0/16", "node": "10.0.0.0/8"}}, "networks: node 10.0.0.0/8 overlaps pod"),
        ({"nodes": [NODES[0], NODES[0]]}, "nodes: name ip-10-0-0-1.ec2.internal is used by more than one node"),
        ({"nodes": [{"role": "worker"}]}, "nodes.0.name: is required and not there"),
        ({"components": ["docker"]}, "components.0: 'docker' must be 'kubeadm'"),
        ({"ssh_confg": "x"}, "ssh_confg: is not a known key; did you mean 'ssh_config'?"),
        ({"accepted_risks": {"token_expires": {"reason": "x"}}}, "accepted_risks.token_expires.until: is required"),
    ],
)
def test_a_bad_spec_is_refused(tmp_path: Path, kubeconfig: Path, known: dict[str, Any], message: str) -> None:
    """Whatever may be left out, what is stated must be right."""
    write_kubeconfig(kubeconfig.with_name("two"), "http://127.0.0.1:1", "one", "two")
    with pytest.raises(SpecError) as refused:
        load(written(tmp_path, **known))
    assert message.format(folder=tmp_path) in str(refused.value).splitlines()[0]


def collected(spec: Path, *arguments: str) -> set[str]:
    """The names of the checks that would be judged."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests", f"--cluster={spec}", *arguments]
    done = subprocess.run(command, cwd=paths.CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr
    return {line.rpartition("::test_")[2].partition("[")[0] for line in done.stdout.splitlines() if "::test_" in line}


def test_the_api_alone_is_judged_by_what_holds_of_any_cluster(tmp_path: Path, kubeconfig: Path) -> None:
    """No machine is entered, and nothing is compared with what is not stated."""
    assert kubeconfig.exists()
    assert collected(written(tmp_path)) == {
        "api_server_is_well",
        "every_node_is_ready",
        "no_node_is_under_pressure",
        "no_node_lacks_its_network",
        "kubelets_fit_the_api_server",
        "runtime_is_uniform",
        "system_pods_are_ready",
        "system_pods_stay_up",
        "restarts_do_not_grow",
        "no_pending_csr",
    }


def test_what_changes_the_cluster_is_judged_only_by_its_name(tmp_path: Path, kubeconfig: Path) -> None:
    """Experiments, and pods in a namespace of their own."""
    (tmp_path / "ssh_config").write_text(kubeconfig.name)
    known = {"ssh_config": "ssh_config", "traffic_image": "agnhost", "experiments": {"margin_seconds": 60}}
    spec = written(tmp_path, **known, components=["kubelet", "containerd"], nodes=NODES)
    changing = {"pod_to_pod_across_nodes", "scaling_is_followed", "node_turns_not_ready"}
    assert collected(spec) & changing == set()
    assert collected(spec, "--allow-disruption=mine") & changing == changing


def test_another_clusters_name_allows_nothing(pytester: pytest.Pytester, tmp_path: Path, kubeconfig: Path) -> None:
    """Before anything is asked of it."""
    assert kubeconfig.exists()
    result = pytester.runpytest_subprocess(f"--cluster={written(tmp_path)}", "--allow-disruption=yours")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--allow-disruption names yours, but the cluster of the spec */mine.yaml is mine*"])


CHECKS = """
    import pytest

    def test_version(cluster, api):
        assert api.version.get_code().git_version == "v1.33.1-eks-508b6b3"

    @pytest.mark.needs("networks.pod")
    def test_pods(cluster, spec): assert spec.networks.pod

    @pytest.mark.writes
    def test_writes(api): api.core.create_namespace({})

    def test_machine(machine): pass

    @pytest.mark.parametrize("case", ["a", pytest.param("b", marks=pytest.mark.needs("components.etcd"))])
    def test_partly(api, case): pass
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_the_report_says_what_was_not_judged_and_why(
    pytester: pytest.Pytester, tmp_path: Path, kubeconfig: Path, own_state: Path, workers: int
) -> None:
    """The rest is judged; nothing is changed, and no lab is held or started."""
    assert kubeconfig.exists()
    pytester.makepyfile(CHECKS)
    risks = {"token_expires": {"reason": "it is ours", "until": datetime.date(2999, 12, 31)}}
    spec = written(tmp_path, accepted_risks=risks)
    result = pytester.runpytest_subprocess("-n", str(workers), f"--cluster={spec}")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "*PROVED: all 2 checks passed*",
            "4 checks of the inventory were not judged*",
            "accepted until 2999-12-31: token_expires: it is ours",
        ]
    )
    run, _ = read(Path(pytester.path, "reports", "latest"))
    assert run.not_judged == {
        "pods": "the spec does not state networks.pod",
        "writes": "it changes the cluster: --allow-disruption mine lets it",
        "machine": "the spec names no ssh_config",
        "partly[b]": "the spec does not state components.etcd",
    }
    assert (
        "| pods | the spec does not state networks.pod |"
        in Path(pytester.path, "reports", "latest", "report.md").read_text()
    )
    assert ApiServer.changes == []
    assert not own_state.exists()


def test_a_check_that_may_write_does(pytester: pytest.Pytester, tmp_path: Path, kubeconfig: Path) -> None:
    """Where the cluster's name allows it: so the stand-in would have noted a change."""
    assert kubeconfig.exists()
    pytester.makepyfile(CHECKS)
    result = pytester.runpytest_subprocess(f"--cluster={written(tmp_path)}", "--allow-disruption=mine")
    result.assert_outcomes(passed=2, failed=1)
    assert ApiServer.changes == ["/api/v1/namespaces"]


@pytest.mark.parametrize(("until", "outcomes"), [("2020-12-31", {"failed": 1}), ("2999-12-31", {"passed": 1})])
def test_a_risk_that_has_run_out_is_a_red_check(
    pytester: pytest.Pytester, tmp_path: Path, kubeconfig: Path, until: str, outcomes: dict[str, int]
) -> None:
    """It is test_accepted_risks_are_current that says so; the spec is no error."""
    assert kubeconfig.exists()
    risks = {"token_expires": {"reason": "it is ours", "until": until}}
    check = paths.CHECKS / "cluster" / "test_accepted_risks.py"
    result = pytester.runpytest_subprocess(check, f"--cluster={written(tmp_path, accepted_risks=risks)}")
    result.assert_outcomes(**outcomes)
    result.stdout.fnmatch_lines([f"*accepted until {until}: token_expires: it is ours"])


@pytest.mark.parametrize(("until", "is_judged"), [("2020-12-31", True), ("2999-12-31", False)])
def test_a_risk_excuses_its_check_until_it_has_run_out(
    pytester: pytest.Pytester, tmp_path: Path, kubeconfig: Path, until: str, *, is_judged: bool
) -> None:
    """From then on the check is judged again."""
    assert kubeconfig.exists()
    pytester.makepyfile("def test_accepted(cluster): pass")
    spec = written(tmp_path, accepted_risks={"accepted": {"reason": "it is ours", "until": until}})
    result = pytester.runpytest_subprocess("--collect-only", "-q", f"--cluster={spec}")
    assert any("::test_accepted" in line for line in result.outlines) is is_judged


@pytest.mark.parametrize("workers", [0, 2])
def test_a_verdict_that_can_not_be_kept_is_none(
    pytester: pytest.Pytester, tmp_path: Path, kubeconfig: Path, full_disk: Path, workers: int
) -> None:
    """Where the disk of the reports fills while there is something to be kept; however green that is."""
    assert kubeconfig.exists()
    (full_disk / "filler").unlink()
    pytester.makepyfile(f"""
        def test_filling(cluster):
            open("{full_disk}/filler", "wb", buffering=0).write(bytes(1 << 20))
    """)
    result = pytester.runpytest_subprocess(
        "-n", f"{workers}", f"--cluster={written(tmp_path)}", f"--reports={full_disk}"
    )
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    told = f"*Exit: NOT PROVED: the results can't be kept in {full_disk}/*: No space left on device; *"
    result.stdout.fnmatch_lines([told])


TWO_THAT_CAN_NOT_END = """
    import pytest

    @pytest.fixture
    def one(cluster):
        yield
        raise TimeoutError("w3-k8s is not at rest")

    @pytest.fixture
    def other(one):
        yield
        raise TimeoutError("its namespace can't be deleted")

    def test_healthy(other): pass
"""


def test_all_that_could_not_be_put_back_is_told(pytester: pytest.Pytester, tmp_path: Path, kubeconfig: Path) -> None:
    """In the words of each, and without Python's own."""
    assert kubeconfig.exists()
    pytester.makepyfile(TWO_THAT_CAN_NOT_END)
    result = pytester.runpytest_subprocess(f"--cluster={written(tmp_path)}")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["message: w3-k8s is not at rest; its namespace can't be deleted"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_cluster_that_does_not_answer_is_one_error(
    pytester: pytest.Pytester, tmp_path: Path, kubeconfig: Path
) -> None:
    """It is not known to be wrong, and the message says how to look."""
    write_kubeconfig(kubeconfig, "http://127.0.0.1:1", "mine")
    pytester.makepyfile(CHECKS)
    result = pytester.runpytest_subprocess(f"--cluster={written(tmp_path)}")
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["*the API of mine does not answer: *Look with: kubectl --kubeconfig */kubeconfig version*", "*NOT PROVED*"]
    )


def test_an_empty_kubeconfig_is_unreachable(tmp_path: Path) -> None:
    """Without a traceback."""
    (tmp_path / "kubeconfig").write_text("contexts: [{name: one}]\n")
    with pytest.raises(Unreachable, match="the API of mine does not answer"):
        enter(existing(tmp_path), tmp_path / "mine.yaml")


def test_without_an_ssh_config_no_machine_can_be_entered(tmp_path: Path, kubeconfig: Path) -> None:
    """Not by the person's own configuration either."""
    assert kubeconfig.exists()
    assert enter(existing(tmp_path), tmp_path / "mine.yaml").ssh_config == NO_SSH


def test_each_cluster_has_a_journal_of_its_own(tmp_path: Path) -> None:
    """A fault in one is never mended on another's machine of the same name."""
    ours, theirs = Host(LocalBackend()), Host(LocalBackend())
    theirs.backend.ssh_config = str(tmp_path / "ssh_config")
    file = tmp_path / "broken"
    fault = faults.Fault(name="a file is there", node="w1-k8s", make=f"touch {file}", mend=f"rm -f {file}")
    killed = faults.injected(fault, theirs, is_in=lambda: None, is_mended=lambda: None)
    killed.__enter__()
    assert faults.mend_all(lambda _: ours, lifecycle) == []
    assert faults.left_in(tmp_path / "ssh_config") == [fault]
    assert file.exists()
    assert faults.mend_all(lambda _: theirs, lifecycle, tmp_path / "ssh_config") == [fault]
    assert not file.exists()


COMPARISONS = """
    def test_equal(cluster): assert "seen" == "expected"

    def test_greater(cluster): assert 1 > 2

    def test_has(cluster): assert "overlay" in ["ext4"]

    def test_lacks(cluster): assert "swap" not in ["swap"]
"""


def test_each_comparison_tells_seen_from_expected(pytester: pytest.Pytester, tmp_path: Path, kubeconfig: Path) -> None:
    """Also where what is looked for stands on the left."""
    assert kubeconfig.exists()
    pytester.makepyfile(COMPARISONS)
    pytester.runpytest_subprocess(f"--cluster={written(tmp_path)}").assert_outcomes(failed=4)
    _, judged = read(Path(pytester.path, "reports", "latest"))
    assert {one.check: (one.seen, one.expected) for one in judged} == {
        "equal": ("'seen'", "'expected'"),
        "greater": ("1", "> 2"),
        "has": ("['ext4']", "'overlay' is in it"),
        "lacks": ("['swap']", "'swap' is not in it"),
    }
