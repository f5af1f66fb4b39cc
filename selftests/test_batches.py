"""Very many nodes: what is collected stands for batches of them, and what is judged is each."""

from pathlib import Path

import pytest
import yaml

from kubeproof.pytest_plugin.batches import MOST_ALONE, SIZE

WORKERS = [f"w{number}-k8s" for number in range(2 * SIZE)]
CHECKS = """
    import pytest

    @pytest.mark.parametrize("kind", ["one", "other"])
    def test_node(node, kind): assert (node.name, kind) != ("w7-k8s", "other")

    def test_pair(pair): assert pair[0] != pair[1]

    class TestTogether:
        @pytest.fixture(scope="class")
        def made(self): return []

        def test_each(self, made, worker_node): made.append(worker_node.name)
        def test_all(self, made): assert len(made) == 100
"""
OF_ALL = 2 * len(WORKERS) + 3 * len(WORKERS) + len(WORKERS) + 1


@pytest.fixture
def many(pytester: pytest.Pytester) -> str:
    """The option that names a spec of a hundred workers, to be judged by checks of each kind."""
    nodes = [{"name": name, "role": "worker"} for name in WORKERS]
    file = Path(pytester.path, "spec.yaml")
    file.write_text(yaml.safe_dump({"name": "m", "provider": "existing", "kubeconfig": "kubeconfig", "nodes": nodes}))
    Path(pytester.path, "kubeconfig").write_text("contexts: [{}]")
    pytester.makepyfile(CHECKS)
    return f"--cluster={file}"


def test_a_batch_is_one_item(pytester: pytest.Pytester, many: str) -> None:
    """Named for its first and its last."""
    lines = pytester.runpytest_subprocess("--collect-only", "-q", many).outlines
    assert [line.partition("::")[2] for line in lines if "test_node" in line] == [
        f"test_node[{nodes}-{kind}]" for nodes in ("w0-k8s..w49-k8s", "w50-k8s..w99-k8s") for kind in ("one", "other")
    ]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_each_of_a_batch_is_judged(pytester: pytest.Pytester, many: str, workers: str) -> None:
    """By itself, under the name that it would have alone; also what of a class shares a fixture."""
    result = pytester.runpytest_subprocess("-n", workers, many)
    result.assert_outcomes(failed=1, passed=OF_ALL - 1)
    result.stdout.fnmatch_lines(["FAILED *::test_node[[]w7-k8s-other[]]*"])


def test_progress_is_told_of_what_is_judged(pytester: pytest.Pytester, many: str) -> None:
    """Not of what was collected, which would end far above a hundred per cent."""
    assert "[100%]" in pytester.runpytest_subprocess("-n", "2", many).stdout.str()


def test_a_run_that_is_to_end_at_the_first_failure_does(pytester: pytest.Pytester, many: str) -> None:
    """In the middle of a batch."""
    pytester.runpytest_subprocess("-x", "-k", "test_node and other", many).assert_outcomes(failed=1, passed=7)


@pytest.mark.parametrize(
    "named", [["test_named_is_found.py::test_node[w7-k8s-other]"], ["-k", "w7-k8s and other"], ["--lf"]]
)
def test_named_is_found(pytester: pytest.Pytester, many: str, named: list[str]) -> None:
    """By the name that a report has, by a keyword, and among what failed last."""
    pytester.runpytest_subprocess(many)
    pytester.runpytest_subprocess(many, *named).assert_outcomes(failed=1)


def test_fewer_nodes_have_items_of_their_own(pytester: pytest.Pytester, many: str) -> None:
    """So that each can be selected."""
    file = Path(pytester.path, "spec.yaml")
    document = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**document, "nodes": document["nodes"][:MOST_ALONE]}))
    assert "test_node[w7-k8s-one]" in pytester.runpytest_subprocess("--collect-only", "-q", many).stdout.str()
