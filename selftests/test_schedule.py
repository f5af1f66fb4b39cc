"""Reads are never disturbed by an experiment, nor one experiment by another, with any number of workers."""

import json
import os
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from kubeproof.process.waiting import wait_for
from kubeproof.pytest_plugin import schedule

SUITE = """
    import json, os, time
    import pytest

    def note(name, fixture=""):
        started = time.time()
        time.sleep(0.05)
        with open(os.environ["NOTES"], "a") as notes:
            notes.write(json.dumps({"name": name, "start": started, "end": time.time(), "on": fixture}) + "\\n")

    class Experiment:
        @pytest.fixture(scope="class")
        def fault(self, victim, request):
            note(f"{request.cls.__name__} made", victim.name)
            yield victim.name
            note(f"{request.cls.__name__} mended", victim.name)

        def test_one(self, fault, request):
            note(f"{request.cls.__name__} one", fault)

        def test_two(self, fault, request):
            note(f"{request.cls.__name__} two", fault)

    @pytest.mark.experiment(claims="a node")
    class TestFirst(Experiment): pass

    @pytest.mark.experiment(claims="a node")
    class TestSecond(Experiment): pass

    @pytest.mark.experiment(claims="a node")
    class TestThird(Experiment): pass

    @pytest.mark.experiment(claims="a node")
    class TestFourth(Experiment): pass

    @pytest.mark.experiment(claims="the cluster")
    class TestWhole:
        def test_whole(self):
            note("Whole")

    @pytest.mark.experiment(claims="nothing")
    class TestItsOwn:
        def test_its_own(self):
            note("read of what is its own")

    @pytest.mark.after_experiments
    @pytest.mark.parametrize("n", range(3))
    def test_last(n):
        note(f"last {n}")

    @pytest.mark.parametrize("n", range(12))
    def test_read(n):
        note(f"read {n}")
"""


@pytest.fixture(scope="module", params=[0, 1, 2, 4])
def notes(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> list[Any]:
    """What ran when, of a suite of all kinds, with that number of workers."""
    folder = tmp_path_factory.mktemp(f"{request.param}-workers")
    (folder / "test_suite.py").write_text(textwrap.dedent(SUITE))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "kubeproof.pytest_plugin", "-n", str(request.param)],
        cwd=folder,
        env={**os.environ, "NOTES": str(folder / "notes.jsonl")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "25 passed" in done.stdout, done.stdout
    return [json.loads(line) for line in (folder / "notes.jsonl").read_text().splitlines()]


def test_each_phase_ends_before_the_next_begins(notes: list[Any]) -> None:
    """Reads, and experiments that claim nothing; then the other experiments; then the last look."""
    phases = [
        [note for note in notes if note["name"].startswith("read")],
        [note for note in notes if note["name"].startswith(("Test", "Whole"))],
        [note for note in notes if note["name"].startswith("last")],
    ]
    assert [len(phase) for phase in phases] == [13, 17, 3]
    for before, after in pairwise(phases):
        assert max(note["end"] for note in before) <= min(note["start"] for note in after)


def test_an_experiment_is_whole_and_in_order(notes: list[Any]) -> None:
    """One worker makes the fault once, looks at each fact, and mends."""
    for name in ("TestFirst", "TestSecond", "TestThird", "TestFourth"):
        own = sorted((note for note in notes if note["name"].startswith(name)), key=lambda note: note["start"])
        assert [note["name"].split()[1] for note in own] == ["made", "one", "two", "mended"]


def test_experiments_with_the_same_claim_never_overlap(notes: list[Any]) -> None:
    """Neither on one node, nor beside one that claims the cluster."""
    spans: dict[str, tuple[float, float, str]] = {}
    for name in ("TestFirst", "TestSecond", "TestThird", "TestFourth", "Whole"):
        own = [note for note in notes if note["name"].startswith(name)]
        spans[name] = (min(n["start"] for n in own), max(n["end"] for n in own), own[0]["on"])
    for one, (start, end, claim) in spans.items():
        for other, (other_start, other_end, other_claim) in spans.items():
            if one != other and (claim == other_claim or "Whole" in (one, other)):
                assert end <= other_start or other_end <= start, (one, other)


def test_the_order_is_the_same_each_time(notes: list[Any]) -> None:
    """Whatever the number of workers, experiments on one node come one after the other in the order of the plan."""
    begun = [note for note in sorted(notes, key=lambda note: note["start"]) if note["name"].endswith(("made", "Whole"))]
    on_the_last = [note["name"] for note in begun if note["on"] in ("w3-k8s", "")]
    assert on_the_last == ["TestFirst made", "TestFourth made", "Whole"]


def test_experiments_get_nodes_of_their_own(notes: list[Any]) -> None:
    """In turn over the workers, so that as many as there are can run side by side."""
    made = {note["name"].split()[0]: note["on"] for note in notes if note["name"].endswith("made")}
    assert made == {"TestFirst": "w3-k8s", "TestSecond": "w2-k8s", "TestThird": "w1-k8s", "TestFourth": "w3-k8s"}


def test_experiments_on_different_nodes_run_side_by_side(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They mostly wait."""
    file = Path(pytester.path, "notes.jsonl")
    monkeypatch.setenv("NOTES", str(file))
    pytester.makepyfile(SUITE.replace("time.sleep(0.05)", "time.sleep(0.5)"))
    pytester.runpytest_subprocess("-n", "2", "-k", "First or Second").assert_outcomes(passed=4)
    notes = {note["name"]: note for note in map(json.loads, file.read_text().splitlines())}
    assert notes["TestFirst made"]["start"] < notes["TestSecond mended"]["end"]
    assert notes["TestSecond made"]["start"] < notes["TestFirst mended"]["end"]


def test_a_node_that_is_free_waits_for_no_other(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its worker goes on with its next experiment, however long another node's takes."""
    file = Path(pytester.path, "notes.jsonl")
    monkeypatch.setenv("NOTES", str(file))
    pytester.makepyfile(
        SUITE
        + """
    class Lasting(Experiment):
        def test_two(self):
            time.sleep(3)

    @pytest.mark.experiment(claims="a node", lasts=30)
    class TestLong(Lasting): pass

    @pytest.mark.experiment(claims="a node", lasts=29)
    class TestAsLong(Lasting): pass
    """
    )
    pytester.runpytest_subprocess("-n", "3").assert_outcomes(passed=29)
    notes = {note["name"]: note for note in map(json.loads, file.read_text().splitlines())}
    assert {notes[f"{one} made"]["on"] for one in ("TestFirst", "TestSecond")} == {"w1-k8s"}
    assert notes["TestSecond made"]["start"] < notes["TestLong mended"]["end"]


def test_no_worker_outlives_who_started_it(pytester: pytest.Pytester) -> None:
    """It would go on with its experiment, beside the next run, which mends what it finds in the journal."""
    pytester.makepyfile(
        """
        import os, pathlib, time

        def test_that_waits():
            pathlib.Path("worker").write_text(str(os.getpid()))
            time.sleep(600)
        """
    )
    run = pytester.popen([sys.executable, "-m", "pytest", "-n", "1"])
    told = pytester.path / "worker"
    try:
        worker = psutil.Process(int(wait_for("a test runs", told.read_text, within=120)))
    finally:
        run.kill()
        run.wait()
    assert worker.wait(timeout=5) is None


def test_a_crashed_worker_is_one_error_and_the_rest_goes_on(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had not run, another runs."""
    file = Path(pytester.path, "notes.jsonl")
    monkeypatch.setenv("NOTES", str(file))
    pytester.makepyfile(
        SUITE + "\n    def test_read_that_crashes():\n        os._exit(1)\n",
    )
    result = pytester.runpytest_subprocess("-n", "2")
    result.assert_outcomes(passed=25, failed=1)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_one_experiment_runs_alone(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str) -> None:
    """`-k` selects as ever: the fault is made and mended, and nothing else is judged but the baseline, where asked."""
    file = Path(pytester.path, "notes.jsonl")
    monkeypatch.setenv("NOTES", str(file))
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess("-n", workers, "-k", "Third or last").assert_outcomes(passed=5)
    ran = [json.loads(line)["name"] for line in file.read_text().splitlines()]
    assert ran[:4] == [f"TestThird {what}" for what in ("made", "one", "two", "mended")]
    assert sorted(ran[4:]) == ["last 0", "last 1", "last 2"]


def test_the_longest_experiments_are_shared_out(pytester: pytest.Pytester) -> None:
    """Each goes to the node that is free soonest, and the longest begin."""
    items = pytester.getitems(
        """
        import pytest

        @pytest.mark.experiment(claims="a node", lasts=10)
        class TestShort:
            def test_it(self): pass

        @pytest.mark.experiment(claims="a node", lasts=30)
        class TestLong:
            def test_it(self): pass

        @pytest.mark.experiment(claims="a node", lasts=15)
        class TestMiddle:
            def test_it(self): pass

        @pytest.mark.experiment(claims="the cluster", lasts=90)
        class TestWholeLong:
            def test_it(self): pass

        @pytest.mark.experiment(claims="the cluster", lasts=5)
        class TestWholeShort:
            def test_it(self): pass
        """
    )
    planned = [
        (items[unit.items[0]].nodeid.split("::")[1], unit.claims) for unit in schedule.plan(items, ["one", "two"])
    ]
    assert planned == [
        ("TestLong", "two"),
        ("TestMiddle", "one"),
        ("TestShort", "one"),
        ("TestWholeShort", schedule.EVERYTHING),
        ("TestWholeLong", schedule.EVERYTHING),
    ]


@pytest.mark.parametrize(
    "arguments", ["", "'a node'", "claims='a worker'", "claims='a node', seconds=15"], ids=lambda text: text or "none"
)
def test_a_wrong_experiment_mark_is_a_usage_error(pytester: pytest.Pytester, arguments: str) -> None:
    """The message names the test and the right arguments."""
    pytester.makepyfile(f"""
        import pytest
        @pytest.mark.experiment({arguments})
        class TestIt:
            def test_one(self, cluster): pass
    """)
    result = pytester.runpytest_subprocess("--collect-only")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*TestIt::test_one: the mark experiment takes claims, one of ('the cluster', 'a node',*"]
    )
