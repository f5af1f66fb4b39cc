"""junit.xml, for CI systems: a test case for each result, with node, component, script and step as properties."""

import io
import re
from pathlib import Path

from junitparser import Error, Failure
from junitparser.xunit2 import JUnitXml, TestCase, TestSuite

from kubeproof.results.document import Document
from kubeproof.results.model import Result

FILE = "junit.xml"
PROPERTIES = ("node", "component", "script", "step", "promise", "evidence")
# Characters that XML forbids (XML 1.0, 2.2) and machines print all the same, such as terminal codes.
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(run: Document, _folder: Path) -> str:
    """One test suite with the cluster's name."""
    suite = TestSuite(f"kubeproof {run.run.cluster}")
    suite.timestamp = run.run.started.isoformat()
    for key, value in {"provider": run.run.provider, "verdict": run.verdict, **run.run.versions}.items():
        suite.add_property(key, _xml(value))
    for check, risk in run.run.accepted_risks.items():
        suite.add_property("accepted risk", _xml(f"{check} until {risk.until}: {risk.reason}"))
    suite.add_testcases([_case(result) for result in run.results])
    document, file = JUnitXml(), io.BytesIO()
    document.add_testsuite(suite)
    document.write(file)
    return file.getvalue().decode()


def _case(result: Result) -> TestCase:
    path, _, name = result.nodeid.partition("::")
    case = TestCase(_xml(name), classname=path.removesuffix(".py").replace("/", "."), time=result.seconds)
    for key in PROPERTIES:
        if value := getattr(result, key):
            case.add_property(key, _xml(value))
    if result.outcome != "passed":
        kind = Failure if result.outcome == "failed" else Error
        reason = f"expected {result.expected}, seen {result.seen}" if result.expected else result.message
        case.result = [kind(_xml(reason.splitlines()[0] if reason else result.check))]
        case.result[0].text = _xml(result.message)
    return case


def _xml(text: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
