"""Sample runs on disk, made of the models: one that passed, one with failures of every kind, one with 200 failures."""

import datetime
import shutil
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

from kubeproof.process import paths
from kubeproof.results import model, store, timeline
from kubeproof.results.model import Result
from kubeproof.results.steps import STEPS_FILE, ScriptStep
from kubeproof.spec import load
from kubeproof.spec.scripts import CONFIG, CONTROL_PLANE, INSTALL, OF_ROLE, WORKER

NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
SPEC = load(paths.DEFAULT_SPEC)
RUN = model.Run.of(SPEC, Path("provision/clusters/default.yaml"), NOON, not_judged={})
NODES = [node.name for node in SPEC.nodes]

VERSION_1 = Path(__file__).parent / "data" / "run_of_version_1"  # written before results.jsonl stated its version

Maker = Callable[[Path], Path]  # writes a run into a new folder and returns the folder

OF_EACH_NODE = {
    "tests/node/test_names.py": {"hosts_has_every_node": "hosts", "hosts_keeps_loopback_apart": "hosts"},
    "tests/node/test_swap.py": {"swap_is_off": "swap-off", "swap_stays_off": "swap-stays-off"},
    "tests/node/test_kernel.py": {"ip_forward": "sysctls", "bridge_nf_call_iptables": "sysctls"},
    "tests/node/test_network.py": {"resolver_is_declared": "resolver", "search_domains": "resolver"},
}


def at(seconds: float) -> datetime.datetime:
    """Seconds after noon, when all sample runs start."""
    return NOON + datetime.timedelta(seconds=seconds)


def result(**changes: Any) -> Result:
    """A check that passed on w1-k8s, with changes."""
    fields = {
        "check": "swap_is_off",
        "nodeid": "tests/node/test_swap.py::test_swap_is_off[w1-k8s]",
        "outcome": "passed",
        "started": NOON,
        "seconds": 1,
        "node": "w1-k8s",
    }
    return Result.model_validate({**fields, **changes})


def judged() -> Iterator[Result]:
    """Results that passed: for each node, each pair and the cluster."""
    for file, checks in OF_EACH_NODE.items():
        for check, step in checks.items():
            for node in NODES:
                yield result(
                    check=check,
                    nodeid=f"{file}::test_{check}[{node}]",
                    node=node,
                    script=CONFIG,
                    step=step,
                    promise="Each machine is as the scripts promise.",
                    started=at(60),
                    seconds=0.4,
                )
    for source, target in permutations(NODES, 2):
        yield result(
            check=f"pod_to_pod_across_nodes[{source}-to-{target}]",
            nodeid=f"tests/components/test_traffic.py::TestTraffic::test_pod_to_pod_across_nodes[{source}-to-{target}]",
            node="",
            script=OF_ROLE[CONTROL_PLANE],
            step="pod-network",
            promise="A pod on the first node reaches a pod on the second by its address.",
            started=at(70),
            seconds=0.2,
        )
    for file, check in (("test_version", "version"), ("test_system_pods", "system_pods_are_ready")):
        nodeid = f"tests/cluster/{file}.py::test_{check}"
        script = OF_ROLE[CONTROL_PLANE]
        yield result(check=check, nodeid=nodeid, node="", script=script, step="kubeadm-init", started=at(75))


def steps() -> Iterator[ScriptStep]:
    """A bring-up of three minutes."""
    for place, node in enumerate(NODES):
        begins = 4.0 * place
        for script, step, seconds in (
            (CONFIG, "hosts", 0.3),
            (CONFIG, "resolver", 0.4),
            (INSTALL, "container-runtime", 21.0),
            (INSTALL, "kube-packages", 14.0),
            (OF_ROLE[WORKER if place else CONTROL_PLANE], "kubeadm-join" if place else "kubeadm-init", 48.0),
        ):
            yield ScriptStep(
                node=node, script=script, step=step, started=at(begins), ended=at(begins + seconds), status=0
            )
            begins += seconds


def kubelet_stopped() -> timeline.Timeline:
    """An experiment: detected after 41 s, evicted after 71 s, recovered 6 s after its fault was mended."""
    return timeline.Timeline(
        experiment="kubelet_stopped",
        promise="Its pods go on, although nothing manages them.",
        node="w3-k8s",
        moments=[
            timeline.Moment(at=at(100), kind="done", subject="w3-k8s", change="systemctl stop kubelet"),
            timeline.Moment(at=at(141), kind="condition", subject="w3-k8s", change="Ready is Unknown"),
            timeline.Moment(at=at(142), kind="taint", subject="w3-k8s", change="unreachable:NoExecute"),
            timeline.Moment(at=at(143), kind="endpoint", subject="before", change="not ready"),
            timeline.Moment(at=at(171), kind="pod", subject="short", change="marked for deletion"),
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
    """Write a run with those results into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    store.append(folder, RUN)
    for check in checks:
        store.append(folder, check)
    if ended:
        store.append(folder, model.End(at=at(192)))
    return folder


def green(folder: Path) -> Path:
    """A proved run with every kind of file."""
    write(folder, list(judged()))
    timeline.save(folder, kubelet_stopped())
    (folder / STEPS_FILE).write_text("".join(f"{step.model_dump_json()}\n" for step in steps()))
    return folder


def red(folder: Path) -> Path:
    """A machine that can't be entered, one with swap, a direction without traffic, and markup in a message."""
    swap = {
        "outcome": "failed",
        "expected": "[]",
        "seen": "['/dev/sda2']",
        "message": "assert ['/dev/sda2'] == []\n  Left contains one more item: '/dev/sda2'",
        "evidence": "evidence/w2-k8s.txt",
    }
    traffic = {
        "outcome": "failed",
        "message": "<script>document.title = 'a machine ran this'</script>",
        "evidence": "evidence/cluster.txt",
    }
    unreachable = {"outcome": "error", "message": "w3-k8s can't be entered over ssh: timed out. Is the machine up?"}
    changes = {
        "swap_is_off on w2-k8s": swap,
        "pod_to_pod_across_nodes[w1-k8s-to-w2-k8s]": traffic,
        **{one.name: unreachable for one in judged() if one.node == "w3-k8s"},
    }
    write(folder, [one.model_copy(update=changes.get(one.name, {})) for one in judged()])
    timeline.save(folder, kubelet_stopped())
    *ended, last = steps()
    unended = last.model_copy(update={"ended": None, "status": None})
    (folder / STEPS_FILE).write_text("".join(f"{step.model_dump_json()}\n" for step in [*ended, unended]))
    evidence = folder / "evidence"
    evidence.mkdir()
    (evidence / "w2-k8s.txt").write_text("$ cat /proc/swaps\nFilename Type Size\n/dev/sda2 partition 2097148\n")
    (evidence / "cluster.txt").write_text("# events\n" + "FailedCreatePodSandBox\n" * 20_000)
    return folder


def red_200_times(folder: Path) -> Path:
    """A run with 200 failures in three steps."""
    failures = [
        result(
            check=f"fact_{number:03}",
            nodeid=f"tests/node/test_facts.py::test_fact_{number:03}[{NODES[number % len(NODES)]}]",
            node=NODES[number % len(NODES)],
            outcome="failed",
            script=CONFIG,
            step=("hosts", "resolver", "sysctls")[number % 3],
            expected="'right'",
            seen="'wrong'",
            message=f"assert 'wrong' == 'right'\nfact {number}",
        )
        for number in range(200)
    ]
    return write(folder, [*judged(), *failures])


def of_version_1(folder: Path) -> Path:
    """A run that kubeproof wrote in version 1: swap_is_off passed on w1, failed on w2, could not be judged on w3."""
    return shutil.copytree(VERSION_1, folder)
