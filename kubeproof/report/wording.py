"""How the reports put what they all say: marks, durations, the step that owes a fact."""

from __future__ import annotations

from kubeproof.results import Result, Run

MARKS = {"passed": "✔", "failed": "✘", "error": "!"}
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


def hint(result: Result) -> dict[str, str]:
    """How to look further: commands, each with what it does."""
    if result.area == "provision":
        return {"kubeproof up": "brings the cluster up again, and leaves it up where that ends well"}
    hints = {f"kubeproof verify --keep-cluster '{result.nodeid}'": "judges this alone and leaves the cluster up"}
    if result.node:
        hints[f"kubeproof shell {result.node}"] = "is a root shell on that machine then"
    return hints
