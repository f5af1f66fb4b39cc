"""Each check says by its marks and fixtures what it reads of the spec, so that one that states less leaves it out."""

import ast
import inspect
import io
import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest

from kubeproof.process import paths
from kubeproof.pytest_plugin import cases, selection
from kubeproof.spec import Node, NotStated, Spec, load
from kubeproof.spec.model import NETWORK_PLUGINS, Section
from kubeproof.spec.needs import is_met
from selftests.conftest import BUNDLED

SPECS = [load(file) for file in BUNDLED]
NODES = {"node", "worker_node", "victim", "other"}  # what a check calls a node of the spec
OF_A_NODE = {*Node.model_fields} - {"name"}
# What every bundled spec says no to: kubeadm spreads no replicas, and the lab's control groups are its host's.
DECLINED = {
    "kubernetes.coredns_spread == true": "the spec's kubernetes.coredns_spread is false, not true",
    "machines.cgroup_version": "the spec does not state machines.cgroup_version",
}
OF_NODES = ("nodes", "workers", "control_plane")


class Collector:
    """Takes what pytest collects, before anything is left out."""

    items: list[pytest.Item]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep a copy."""
        self.items = [*items]


@pytest.fixture(scope="module")
def checks() -> list[pytest.Item]:
    """Every check, one case of each."""
    collector = Collector()
    with redirect_stdout(io.StringIO()):
        pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", str(paths.CHECKS)], [collector])
    return [*{cases.check_name(item): item for item in collector.items}.values()]


def functions(item: pytest.Item) -> Iterator[Callable[..., Any]]:
    """The check's function, and the fixtures and helpers of its own module that it uses."""
    assert isinstance(item, pytest.Function)
    fixtures = item._fixtureinfo.name2fixturedefs  # noqa: SLF001 # pytest has no other way to them
    waiting = [item.function, *[fixtures[name][-1].func for name in item.fixturenames if name in fixtures]]
    seen: set[Callable[..., Any]] = set()
    while waiting:
        function = waiting.pop()
        if function not in seen and function.__module__ == item.function.__module__:
            seen.add(function)
            yield function
            named = [node.id for node in ast.walk(parsed(function)) if isinstance(node, ast.Name)]
            helpers = [function.__globals__.get(name) for name in named]
            waiting += [helper for helper in helpers if inspect.isfunction(helper)]


def parsed(function: Callable[..., Any]) -> ast.AST:
    """Its source."""
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def reads(function: Callable[..., Any]) -> Iterator[str]:
    """The paths in the spec of the values that a function reads."""
    for expression in ast.walk(parsed(function)):
        # A call in between ends a path: what it is called on is walked by itself.
        if isinstance(expression, ast.Attribute) and re.fullmatch(r"[\w.]+", ast.unparse(expression)):
            name, *parts = ast.unparse(expression).split(".")
            if name == "spec":
                yield value_at(parts)
            elif name in NODES and parts[0] in OF_A_NODE:
                yield f"nodes.{parts[0]}"


def value_at(parts: list[str]) -> str:
    """The path, without what is asked of the value there, by the first bundled spec that states it."""
    for spec in SPECS:
        with suppress(NotStated):
            return value_of(spec, parts)
    raise AssertionError(f"no bundled spec states {'.'.join(parts)}")


def value_of(spec: Spec, parts: list[str]) -> str:
    """The same, by one spec."""
    value: Any = spec
    path = []
    for part in parts:
        if not isinstance(value, Section):
            break
        value = getattr(value, part)
        path.append(part)
    if path[0] in ("nodes", "node", "workers", "control_plane", "control_planes"):
        return "nodes.address" if path[-1] == "address" else "nodes"
    # A section as a whole is taken apart elsewhere: see the marks of the check's cases.
    return "" if isinstance(value, Section) or callable(value) else ".".join(path)


def goes_without(function: Callable[..., Any]) -> Iterator[str]:
    """The paths that a function reads where the spec states them, and does without where not."""
    for call in (one for one in ast.walk(parsed(function)) if isinstance(one, ast.Call)):
        if ast.unparse(call.func) == "spec.states":
            yield ast.literal_eval(call.args[0])


def is_covered(path: str, needed: set[str]) -> bool:
    """Whether what is needed includes that value."""
    given = {*needed, *(OF_NODES if needed & {*OF_NODES, "nodes.address"} else ())}
    return any(one == path or one.startswith(f"{path}.") for one in given)


def test_every_value_that_a_check_reads_is_needed_by_it(checks: list[pytest.Item]) -> None:
    """Otherwise the check ends with an error if the spec does not state the value."""
    read = {
        cases.check_name(item): {path for function in functions(item) for path in reads(function) if path}
        - {path for function in functions(item) for path in goes_without(function)}
        for item in checks
    }
    needed = {cases.check_name(item): {need.partition(" == ")[0] for need in selection.needs(item)} for item in checks}
    assert len(read) > 100
    assert {
        name: missing
        for name, paths_read in read.items()
        if (missing := {path for path in paths_read if not is_covered(path, needed[name])})
    } == {}, "name these keys in the checks' mark needs"


def test_every_need_is_stated_by_a_bundled_spec(checks: list[pytest.Item]) -> None:
    """A path that is misspelt would leave its check out everywhere."""
    needed = {need for item in checks for need in selection.needs(item)}
    assert {need for need in needed if not any(is_met(spec, need) for spec in SPECS)} == {*DECLINED}


def test_a_need_that_no_spec_can_state_is_a_usage_error(pytester: pytest.Pytester) -> None:
    """It names the test."""
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.needs("networks.pods")
        def test_one(cluster): pass
        """
    )
    result = pytester.runpytest_subprocess("--collect-only")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_one needs a key that no spec has: 'Networks' object has no attribute 'pods'*"])


def test_a_bundled_spec_is_judged_whole(checks: list[pytest.Item], bundled: Path) -> None:
    """But for what it leaves out or declines, what is for clusters whose spec says less, and the other CNI's."""
    spec = load(bundled)
    (other,) = {*NETWORK_PLUGINS} - {spec.network_plugin}
    judged, reasons = selection.divide(checks, spec, may_change=False)
    excused = {*spec.left_out, *(name for name, risk in spec.accepted_risks.items() if not risk.has_run_out)}
    stood_for = {cases.check_name(item) for item in checks if item.get_closest_marker("unless")}
    assert {reason for reason in reasons.values() if other not in reason} == {*DECLINED.values()}
    assert {cases.check_name(item) for item in set(checks) - set(judged)} == excused | stood_for | {*reasons}
