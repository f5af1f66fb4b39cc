"""junit.xml, as CI systems read it: a property each for machine, component, script and step."""

import re
from pathlib import Path

from junitparser import Error, Failure
from junitparser.xunit2 import JUnitXml, TestCase, TestSuite

from kubeproof.results.document import Document
from kubeproof.results.model import Result

KEPT = ("node", "component", "script", "step", "promise", "evidence")
# What no XML document may hold (XML 1.0, 2.2), and machines say all the same: the codes of a terminal, mostly.
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(folder: Path, run: Document) -> Path:
    """Make junit.xml in the run's folder and return its path."""
    suite = TestSuite(f"kubeproof {run.run.cluster}")
    suite.timestamp = run.run.started.isoformat()
    for key, value in {"provider": run.run.provider, "verdict": run.verdict, **run.run.versions}.items():
        suite.add_property(key, _xml(str(value)))
    for check, risk in run.run.accepted_risks.items():
        suite.add_property("accepted risk", _xml(f"{check} until {risk.until}: {risk.reason}"))
    suite.add_testcases([_case(result) for result in run.results])
    document = JUnitXml()
    document.add_testsuite(suite)
    file = folder / "junit.xml"
    document.write(str(file))
    return file


def _case(result: Result) -> TestCase:
    path, _, name = result.nodeid.partition("::")
    case = TestCase(_xml(name), classname=path.removesuffix(".py").replace("/", "."), time=result.seconds)
    for key in KEPT:
        value = getattr(result, key)
        if value:
            case.add_property(key, _xml(value))
    if result.outcome != "passed":
        kind = Failure if result.outcome == "failed" else Error
        told = f"expected {result.expected}, seen {result.seen}" if result.expected else result.message
        case.result = [kind(_xml(told.splitlines()[0] if told else result.check))]
        case.result[0].text = _xml(result.message)
    return case


def _xml(text: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
