"""junit.xml, made of results.jsonl, as CI systems read it: a property each for machine, script and step."""

from __future__ import annotations

from pathlib import Path

from junitparser import Error, Failure
from junitparser.xunit2 import JUnitXml, TestCase, TestSuite

from kubeproof.results import Result, Run

KEPT = ("node", "script", "step", "promise", "evidence")


def write(folder: Path, run: Run, judged: list[Result]) -> Path:
    """Make junit.xml in the run's folder and return its path."""
    suite = TestSuite(f"kubeproof {run.cluster}")
    suite.timestamp = run.started.isoformat()
    suite.add_testcases([_case(result) for result in judged])
    document = JUnitXml()
    document.add_testsuite(suite)
    file = folder / "junit.xml"
    document.write(str(file), pretty=True)
    return file


def _case(result: Result) -> TestCase:
    path, _, name = result.nodeid.partition("::")
    case = TestCase(name, classname=path.removesuffix(".py").replace("/", "."), time=result.seconds)
    for key in KEPT:
        value = getattr(result, key)
        if value:
            case.add_property(key, value)
    if result.outcome != "passed":
        kind = Failure if result.outcome == "failed" else Error
        told = f"expected {result.expected}, seen {result.seen}" if result.expected else result.message
        case.result = [kind(told.splitlines()[0] if told else result.check)]
        case.result[0].text = result.message
    return case
