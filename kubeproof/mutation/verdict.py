"""The verdict on a mutant: which checks noticed it, and which step they blamed."""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel

from kubeproof.mutation.model import Mutant
from kubeproof.results.document import Document
from kubeproof.results.model import Result

BRING_UP = "bring_up"  # the check that stands for a failed bring-up in the results

Kind = Literal["right check", "right message", "others", "survived", "not judged", "equivalent"]
KILLED_RIGHT: tuple[Kind, ...] = ("right check", "right message")
LEGEND: dict[Kind, tuple[str, str]] = {  # the mark in the table, and its meaning
    "right check": ("✔", "killed by the right check, named first"),
    "right message": ("✔", "bring-up failed, and its message names the step"),
    "others": ("~", "killed by others only"),
    "survived": ("✘", "survived"),
    "not judged": ("?", "could not be judged"),
    "equivalent": ("=", "equivalent with these machines"),
}


class Verdict(BaseModel):
    """The verdict on a mutant; `red` are the checks that noticed, in the report's order.

    `preflight` are complaints of kubeadm's own checks before init or join that the unchanged scripts do not get;
    `by_peer` the same of another suite, if one ran; `proof` is why nothing was judged.
    """

    mutant: str
    file: str
    where: str = ""
    how: str
    check: str = ""
    step: str = ""
    kind: Kind
    red: list[str] = []
    blamed: str = ""
    preflight: list[str] = []
    by_peer: list[str] | None = None
    seconds: float = 0
    proof: str = ""


def name_of(result: Result) -> str:
    """The check's name without its case."""
    return result.check.partition("[")[0]


def judge(mutant: Mutant, document: Document, seconds: float, preflight: Iterable[str] = ()) -> Verdict:
    """The verdict by the results of the mutant's machine, which took so many seconds."""
    wrong = document.wrong
    return Verdict(
        mutant=mutant.name,
        file=mutant.file,
        where=mutant.where,
        how=mutant.how,
        check=mutant.check or "",
        step=mutant.step or "",
        kind=_kind(mutant, wrong),
        red=list(dict.fromkeys(name_of(result) for result in wrong)),
        blamed=f"{wrong[0].script} {wrong[0].step}".strip() if wrong else "",
        preflight=sorted(preflight),
        seconds=round(seconds, 1),
    )


def without_results(mutant: Mutant, kind: Kind, why: str) -> Verdict:
    """The verdict on a mutant that is equivalent or could not be judged."""
    return Verdict(mutant=mutant.name, file=mutant.file, how=mutant.how, kind=kind, proof=why)


def _kind(mutant: Mutant, wrong: list[Result]) -> Kind:
    if not wrong:
        return "survived"
    first = wrong[0]
    if name_of(first) != BRING_UP and (name_of(first), first.step) == (mutant.check, mutant.step):
        return "right check"
    for failed in (result for result in wrong if name_of(result) == BRING_UP):
        named = mutant.step is not None and (failed.script, failed.step) == (mutant.file, mutant.step)
        if named or (mutant.says and mutant.says in failed.message):
            return "right message"
    return "others"
