"""The timeline of an experiment: its times, its file and its chart."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kubeproof.experiments.watching import is_sign
from kubeproof.report import experiments
from kubeproof.results import timeline
from kubeproof.results.timeline import Milestones, Moment
from selftests.sample_runs import at, kubelet_stopped


def test_times_follow_from_the_milestones() -> None:
    """Detection and eviction count from the fault, recovery from the mending."""
    assert kubelet_stopped().seconds_to == {"detect": 41, "evict": 71, "recover": 6}


def test_a_milestone_that_was_not_reached_has_no_time() -> None:
    """An experiment may evict nothing."""
    cut = kubelet_stopped().model_copy(update={"milestones": Milestones(fault=at(0), detected=at(3))})
    assert cut.seconds_to == {"detect": 3}


@pytest.mark.parametrize(
    ("milestones", "message"),
    [
        ({"fault": at(5), "detected": at(4)}, "detected at .* must come after fault at"),
        ({"fault": at(5), "recovered": at(9)}, "recovered at .* must come after mended at None"),
    ],
)
def test_milestones_out_of_order_are_refused(milestones: dict[str, object], message: str) -> None:
    """A clock that was set back would make the times wrong."""
    with pytest.raises(ValidationError, match=message):
        Milestones.model_validate(milestones)


def test_a_name_that_would_leave_the_folder_is_refused() -> None:
    """It becomes the name of a file."""
    with pytest.raises(ValidationError, match="experiment"):
        timeline.Timeline.model_validate({**kubelet_stopped().model_dump(), "experiment": "../x"})


def test_saved_timelines_are_read_again(tmp_path: Path) -> None:
    """By experiment."""
    other = kubelet_stopped().model_copy(update={"experiment": "etcd_stopped"})
    timeline.save(tmp_path, kubelet_stopped())
    timeline.save(tmp_path, other)
    assert timeline.read(tmp_path) == [other, kubelet_stopped()]


def test_equal_answers_are_one_stretch() -> None:
    """From the first probe to the next with another answer."""
    stretches = experiments.draw(kubelet_stopped()).probes["by Service"]
    assert [(stretch.answered, round(stretch.left), round(stretch.left + stretch.width)) for stretch in stretches] == [
        (True, 0, 51),
        (False, 51, 94),
        (True, 94, 100),
    ]


def test_seconds_in_the_chart_count_from_the_fault() -> None:
    """And those of the axis."""
    chart = experiments.draw(kubelet_stopped())
    assert [(mark.text, mark.seconds) for mark in chart.milestones][:2] == [("fault", 0), ("detected", 41)]
    assert (chart.ticks[0].seconds, chart.ticks[0].left) == (0, chart.milestones[0].left)


@pytest.mark.parametrize(
    ("kind", "subject", "change", "counts"),
    [
        ("condition", "w1-k8s", "Ready Unknown", True),
        ("condition", "w1-k8s", "Ready True", False),
        ("condition", "w2-k8s", "Ready Unknown", False),
        ("condition", "the API", "does not answer", True),
        ("condition", "the API", "answers", False),
        ("taint", "w1-k8s node.kubernetes.io/unreachable NoExecute", "there", True),
        ("taint", "w1-k8s node.kubernetes.io/unreachable NoExecute", "gone", False),
        ("taint", "w10-k8s node.kubernetes.io/unreachable NoExecute", "there", False),
        ("endpoint", "served at 172.16.1.2", "not ready", True),
        ("endpoint", "served at 172.16.1.2", "ready", False),
        ("pod", "kube-proxy-x", "Terminating", True),
        ("pod", "kube-proxy-x", "gone", True),
        ("pod", "kube-proxy-x", "Running, Ready", False),
        ("pod", "served", "Terminating", False),
        ("done", "w1-k8s", "kubelet stopped", False),
        ("event", "w1-k8s", "NodeNotReady: Node w1-k8s status is now: NodeNotReady", False),
    ],
)
def test_a_sign_is_of_the_faults_own_machine(kind: Any, subject: str, change: str, *, counts: bool) -> None:
    """Another experiment may be under way on another."""
    moment = Moment(at=at(1), kind=kind, subject=subject, change=change)
    assert is_sign(moment, "w1-k8s", {"kube-proxy-x"}) == counts
