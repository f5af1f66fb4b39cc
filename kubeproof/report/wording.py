"""Wording that the reports share: marks, durations, the responsible step, and how to look further."""

import shlex
from datetime import timedelta

from kubeproof.results.document import Document
from kubeproof.results.model import Result, Run

MARKS = {"passed": "✔", "failed": "✘", "error": "!"}
OUTCOMES = {"passed": "passed", "failed": "failed", "error": "could not be judged"}
AGAIN = "[again]"  # ends the name of a check that runs once more after the experiments
MINUTE = 60
HOUR = 60 * MINUTE


def capitalized(text: str) -> str:
    """`text` with a capital at its start, and otherwise as it is."""
    return text[:1].upper() + text[1:]


def duration(seconds: float) -> str:
    """Seconds in a person's units: 0.3 s, 48 s, 4 min 5 s, 1 h 12 min."""
    if seconds < 10:  # noqa: PLR2004 # two digits are enough
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"


def responsible(result: Result, run: Run) -> str:
    """The step that is responsible for a wrong fact, with its line in the script if that is known.

    A check that could not run proves nothing, so no step is blamed.
    """
    if result.outcome == "error":
        return f"could not be judged on {result.node}" if result.node else "could not be judged"
    if not result.step:
        return "unknown step"
    source = run.source(result.script, result.step)
    where = f"{result.script}:{source.line}" if source else result.script
    return f"{where}, {result.step}"


def history(result: Result, run: Document) -> str:
    """When the check ended and how; before it, the same for its first run if this is the one after the experiments."""
    first = result.check.removesuffix(AGAIN)
    earlier = [one for one in run.results if first != result.check and (one.check, one.node) == (first, result.node)]
    verdicts = ", ".join(
        f"{OUTCOMES[one.outcome]} at {one.started + timedelta(seconds=one.seconds):%H:%M:%S}"
        for one in (*earlier, result)
    )
    return f"{capitalized(verdicts)} UTC"


def hints(result: Result, run: Run) -> dict[str, str]:
    """Commands to look further, each with what it does."""
    spec = f"--cluster {shlex.quote(str(run.spec))}"
    if result.area == "provision":
        return {f"kubeproof up {spec}": "brings the cluster up again, and leaves it up if that succeeds"}
    # A check runs again only after experiments; its first run judges the same fact.
    check = shlex.quote(result.nodeid.replace("[again-", "[").removesuffix("[again]"))
    machine = result.machine or result.node
    if run.provider == "existing":
        commands = {f"kubeproof verify {spec} {check}": "judges this alone"}
        enter = {f"ssh {machine}": "enters that machine, with the spec's ssh_config"}
    else:
        commands = {f"kubeproof verify --keep-cluster {spec} {check}": "judges this alone and leaves the cluster up"}
        enter = {f"kubeproof shell {machine}": "opens a root shell on that machine then"}
    if machine:
        commands |= enter
    if result.command:
        commands[result.command] = "is the last command that ran there"
    return commands
