"""The report of each case: its node, promise and responsible step, and, if it is red, what was expected and seen."""

from collections.abc import Generator, Iterator

import pytest

from kubeproof.access import questions
from kubeproof.pytest_plugin.cases import case, check_name, is_check, parameters
from kubeproof.pytest_plugin.stash import COMPARED, HANDOVER, SPEC


@pytest.hookimpl(tryfirst=True)  # before its fixtures are made
def pytest_runtest_setup() -> None:
    """Forget the question that the check before asked last."""
    questions.forget()


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    """Note the two sides of a failing comparison, for the report."""
    # A check has what is seen on the left and what is expected on the right, or looks for something in what is seen.
    if op in ("in", "not in"):
        config.stash[COMPARED] = (repr(right), f"{left!r} is {op} it")
    else:
        config.stash[COMPARED] = (repr(left), repr(right) if op == "==" else f"{op} {right!r}")
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the facts of a case to its report, as properties; the recorder reads them."""
    report = yield
    if not is_check(item) or (report.passed and report.when != "call"):
        return report
    facts = dict(facts_of(item))
    if report.failed:
        facts |= _facts_of_failure(item, call, report)
        facts["evidence"] = _keep_evidence(item, facts.get("node", ""))
        report.sections.append(("kubeproof", "\n".join(f"{key}: {value}" for key, value in facts.items() if value)))
    item.config.stash[COMPARED] = ("", "")
    report.user_properties.extend(facts.items())
    return report


def facts_of(item: pytest.Item) -> Iterator[tuple[str, str]]:
    """Check, promise, node, and the step that is responsible, as they are known before the case is run."""
    values = parameters(item)
    moment = values.pop("moment", "")
    node = values.pop("node", "") or values.pop("worker_node", "")
    cases = [case(value) for value in values.values()]
    yield "check", check_name(item) + "".join(f"[{name}]" for name in [*cases, moment] if name)
    yield "promise", " ".join((getattr(item, "function", item).__doc__ or "").split("\n\n")[0].split())
    if node:
        yield "node", node
    spec = item.config.stash[SPEC]
    if not spec.states("scripts"):
        return  # other scripts made the cluster, or none
    _, judged = values.get("pair", ("", node))
    role = spec.node(judged).role if judged else ""
    for step in item.iter_markers("step"):
        if step.kwargs.get("role", role) == role:
            yield "script", step.args[0]
            yield "step", step.args[1]
            break


def _facts_of_failure(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> dict[str, str]:
    from kubeproof.access.ssh import Unreachable
    from kubeproof.process.waiting import NotInTime
    from kubeproof.results.redaction import redact

    facts = {}
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, Unreachable):
        report.when = "setup"  # an error in whatever phase it comes up: no fact was seen to be wrong
    compared = item.config.stash.get(COMPARED, None)
    if compared:
        facts["seen"], facts["expected"] = (redact(text) for text in compared)
    if isinstance(error, NotInTime):
        facts["seen"], facts["expected"] = redact(error.seen), redact(error.expected)
    facts["message"] = redact(str(error or ""))
    if isinstance(error, BaseExceptionGroup):  # pytest shows only how many there are, and where Python caught them
        facts["message"] = redact("; ".join(str(one) for one in error.exceptions))
        each = [item.repr_failure(pytest.ExceptionInfo.from_exception(one)) for one in error.exceptions]
        report.longrepr = "\n".join(str(one) for one in each)
    question = questions.last()
    return facts | {"machine": question.machine, "command": redact(question.command)}


def _keep_evidence(item: pytest.Item, node: str) -> str:
    from kubeproof.access.api import Api
    from kubeproof.access.ssh import enter
    from kubeproof.results import evidence

    handover = item.config.stash[HANDOVER]
    cluster, folder = handover.cluster, handover.report
    if node and item.config.stash[SPEC].ssh:
        kept = evidence.of_machine(folder / "evidence", node, lambda: enter(node, cluster.ssh_config))
    else:
        kept = evidence.of_cluster(folder / "evidence", lambda: Api(cluster.kubeconfig))
    return str(kept.relative_to(folder))
