"""How the reports put what they all say: marks, durations, the step that owes a fact."""

import shlex
from datetime import timedelta

from kubeproof.results.document import Document
from kubeproof.results.model import Result, Run

MARKS = {"passed": "✔", "failed": "✘", "error": "!"}
OUTCOMES = {"passed": "passed", "failed": "failed", "error": "could not be judged"}
AGAIN = "[again]"
MINUTE = 60
HOUR = 60 * MINUTE


def duration(seconds: float) -> str:
    """Seconds as a person says them: 0.3 s, 48 s, 4 min 5 s, 1 h 12 min."""
    if seconds < 10:  # noqa: PLR2004 # two digits tell enough
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"


def owed(result: Result, run: Run) -> str:
    """The step that owes a wrong fact, with its line in the script where that is known.

    Of one that could not be looked at nobody knows whether it is wrong, so no step owes anything.
    """
    if result.outcome == "error":
        return f"could not be judged on {result.node}" if result.node else "could not be judged"
    if not result.step:
        return "unknown step"
    source = run.source(result.script, result.step)
    where = f"{result.script}:{source.line}" if source else result.script
    return f"{where}, {result.step}"


def moment(result: Result, run: Document) -> str:
    """When a fact was seen to be so; where that was a second look, also what the first one saw, and when."""
    first = result.check.removesuffix(AGAIN)
    before = [one for one in run.results if first != result.check and (one.check, one.node) == (first, result.node)]
    looks = ", ".join(
        f"{OUTCOMES[one.outcome]} at {one.started + timedelta(seconds=one.seconds):%H:%M:%S}"
        for one in (*before, result)
    )
    return f"{looks[0].upper()}{looks[1:]} UTC"


def hint(result: Result, run: Run) -> dict[str, str]:
    """How to look further: commands, each with what it does."""
    spec = f"--cluster {shlex.quote(str(run.spec))}"
    if result.area == "provision":
        return {f"kubeproof up {spec}": "brings the cluster up again, and leaves it up where that ends well"}
    # A second look is taken only after experiments; the first one asks the same.
    check = shlex.quote(result.nodeid.replace("[again-", "[").removesuffix("[again]"))
    machine = result.machine or result.node
    if run.provider == "existing":
        hints = {f"kubeproof verify {spec} {check}": "judges this alone"}
        enter = {f"ssh {machine}": "enters that machine, by the spec's ssh_config"}
    else:
        hints = {f"kubeproof verify --keep-cluster {spec} {check}": "judges this alone and leaves the cluster up"}
        enter = {f"kubeproof shell {machine}": "is a root shell on that machine then"}
    if machine:
        hints |= enter
    if result.command:
        hints[result.command] = "is what was asked there last"
    return hints
