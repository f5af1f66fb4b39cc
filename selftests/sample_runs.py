"""Runs as they would be on disk, made of the models alone: green, red as can be, and red 200 times."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kubeproof.process import paths
from kubeproof.results import model, store, timeline
from kubeproof.results.model import Result
from kubeproof.results.steps import STEPS_FILE, ScriptStep
from kubeproof.spec import load

NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
SPEC = load(paths.DEFAULT_SPEC)
RUN = model.Run.of(SPEC, Path("provision/clusters/default.yaml"), NOON, not_judged={})
NODES = [node.name for node in SPEC.nodes]

Maker = Callable[[Path], Path]  # puts a run into a folder that is not there yet

OF_EACH_NODE = {
    "tests/node/test_names.py": {"hosts_has_every_node": "hosts", "hosts_keeps_loopback_apart": "hosts"},
    "tests/node/test_swap.py": {"swap_is_off": "swap-off", "swap_stays_off": "swap-stays-off"},
    "tests/node/test_kernel.py": {"ip_forward": "sysctls", "bridge_nf_call_iptables": "sysctls"},
    "tests/node/test_network.py": {"resolver_is_declared": "resolver", "search_domains": "resolver"},
}


def at(seconds: float) -> datetime.datetime:
    """That long after noon, when all of these runs began."""
    return NOON + datetime.timedelta(seconds=seconds)


def result(**known: Any) -> Result:
    """A passed check of w1-k8s, but for what is given."""
    whole = {
        "check": "swap_is_off",
        "nodeid": "tests/node/test_swap.py::test_swap_is_off[w1-k8s]",
        "outcome": "passed",
        "started": NOON,
        "seconds": 1,
        "node": "w1-k8s",
    }
    return Result.model_validate({**whole, **known})


def judged() -> Iterator[Result]:
    """Every check of the samples, passed: of each node, of each pair, and of the cluster."""
    for file, checks in OF_EACH_NODE.items():
        for check, step in checks.items():
            for node in NODES:
                yield result(
                    check=check,
                    nodeid=f"{file}::test_{check}[{node}]",
                    node=node,
                    script="config.sh",
                    step=step,
                    promise="What the scripts owe each machine is there.",
                    started=at(60),
                    seconds=0.4,
                )
    for one, other in ((one, other) for one in NODES for other in NODES if one != other):
        yield result(
            check=f"pod_to_pod_across_nodes[{one}-to-{other}]",
            nodeid=f"tests/components/test_traffic.py::TestTraffic::test_pod_to_pod_across_nodes[{one}-to-{other}]",
            node="",
            script="master_node.sh",
            step="pod-network",
            promise="A pod on the one node reaches a pod on the other by its address.",
            started=at(70),
            seconds=0.2,
        )
    for file, check in (("test_version", "version"), ("test_system_pods", "system_pods_are_ready")):
        nodeid = f"tests/cluster/{file}.py::test_{check}"
        yield result(check=check, nodeid=nodeid, node="", script="master_node.sh", step="kubeadm-init", started=at(75))


def steps() -> Iterator[ScriptStep]:
    """A bring-up of three minutes."""
    for place, node in enumerate(NODES):
        begun = 4.0 * place
        for script, step, seconds in (
            ("config.sh", "hosts", 0.3),
            ("config.sh", "resolver", 0.4),
            ("install_pkg.sh", "container-runtime", 21.0),
            ("install_pkg.sh", "kube-packages", 14.0),
            ("work_nodes.sh" if place else "master_node.sh", "kubeadm-join" if place else "kubeadm-init", 48.0),
        ):
            yield ScriptStep(
                node=node, script=script, step=step, started=at(begun), ended=at(begun + seconds), status=0
            )
            begun += seconds


def kubelet_stopped() -> timeline.Timeline:
    """An experiment: detected after 41 s, evicted after 71 s, and recovered 6 s after it was mended."""
    return timeline.Timeline(
        experiment="kubelet_stopped",
        promise="Nobody manages its pods any more, but what runs goes on.",
        node="w3-k8s",
        moments=[
            timeline.Moment(at=at(100), kind="done", subject="w3-k8s", change="systemctl stop kubelet"),
            timeline.Moment(at=at(141), kind="condition", subject="w3-k8s", change="Ready is Unknown"),
            timeline.Moment(at=at(142), kind="taint", subject="w3-k8s", change="unreachable:NoExecute"),
            timeline.Moment(at=at(143), kind="endpoint", subject="before", change="not ready"),
            timeline.Moment(at=at(171), kind="pod", subject="short", change="marked to go"),
            timeline.Moment(at=at(180), kind="done", subject="w3-k8s", change="systemctl start kubelet"),
            timeline.Moment(at=at(185), kind="condition", subject="w3-k8s", change="Ready is True"),
        ],
        probes=[
            timeline.Probe(at=at(95 + 2 * number), name=name, answered=name == "by pod IP" or not 24 <= number <= 43)
            for number in range(48)
            for name in ("by pod IP", "by Service")
        ],
        milestones=timeline.Milestones(
            fault=at(100), detected=at(141), evicted=at(171), mended=at(180), recovered=at(186)
        ),
    )


def write(folder: Path, checks: list[Result], *, ended: bool = True) -> Path:
    """Put a run with those verdicts into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    store.append(folder, RUN)
    for check in checks:
        store.append(folder, check)
    if ended:
        store.append(folder, model.End(at=at(192)))
    return folder


def green(folder: Path) -> Path:
    """A proved run, with all that a run can have."""
    write(folder, list(judged()))
    timeline.save(folder, kubelet_stopped())
    (folder / STEPS_FILE).write_text("".join(f"{step.model_dump_json()}\n" for step in steps()))
    return folder


def red(folder: Path) -> Path:
    """One machine that can't be entered, one with swap, a way that carries nothing, and a machine that says markup."""
    swap = {
        "outcome": "failed",
        "expected": "[]",
        "seen": "['/dev/sda2']",
        "message": "assert ['/dev/sda2'] == []\n  Left contains one more item: '/dev/sda2'",
        "evidence": "evidence/w2-k8s.txt",
    }
    way = {
        "outcome": "failed",
        "message": "<script>document.title = 'a machine ran this'</script>",
        "evidence": "evidence/cluster.txt",
    }
    gone = {"outcome": "error", "message": "w3-k8s can't be entered over ssh: timed out. Is the machine up?"}
    changes = {
        "swap_is_off on w2-k8s": swap,
        "pod_to_pod_across_nodes[w1-k8s-to-w2-k8s]": way,
        **{one.name: gone for one in judged() if one.node == "w3-k8s"},
    }
    write(folder, [one.model_copy(update=changes.get(one.name, {})) for one in judged()])
    timeline.save(folder, kubelet_stopped())
    whole = list(steps())
    unended = whole[-1].model_copy(update={"ended": None, "status": None})
    (folder / STEPS_FILE).write_text("".join(f"{step.model_dump_json()}\n" for step in [*whole[:-1], unended]))
    evidence = folder / "evidence"
    evidence.mkdir()
    (evidence / "w2-k8s.txt").write_text("$ cat /proc/swaps\nFilename Type Size\n/dev/sda2 partition 2097148\n")
    (evidence / "cluster.txt").write_text("# events\n" + "FailedCreatePodSandBox\n" * 20_000)
    return folder


def red_200_times(folder: Path) -> Path:
    """A run in which almost nothing is as it should be."""
    failures = [
        result(
            check=f"fact_{number:03}",
            nodeid=f"tests/node/test_facts.py::test_fact_{number:03}[{NODES[number % len(NODES)]}]",
            node=NODES[number % len(NODES)],
            outcome="failed",
            script="config.sh",
            step=("hosts", "resolver", "sysctls")[number % 3],
            expected="'right'",
            seen="'wrong'",
            message=f"assert 'wrong' == 'right'\nfact {number}",
        )
        for number in range(200)
    ]
    return write(folder, [*judged(), *failures])
