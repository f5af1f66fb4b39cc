"""What became of a mutant: who noticed, and whom they blamed."""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel

from kubeproof.mutation.model import Mutant
from kubeproof.results.document import Document
from kubeproof.results.model import Result

BRING_UP = "bring_up"  # the check as which a bring-up that failed is reported

Kind = Literal["right check", "right message", "others", "survived", "not judged", "equivalent"]
KILLED_RIGHT: tuple[Kind, ...] = ("right check", "right message")
WORDS: dict[Kind, str] = {
    "right check": "killed by the right check, named first",
    "right message": "bring-up failed, and its message names the step",
    "others": "killed by others only",
    "survived": "survived",
    "not judged": "could not be judged",
    "equivalent": "equivalent with these machines",
}


class Verdict(BaseModel):
    """A mutant's fate; `red` are the checks that noticed, as the report lists them, `seconds` what it took.

    `preflight` is what kubeadm's own checks before init or join said that they do not say of the scripts as they are,
    `by_peer` the same of another suite, if one was asked.
    """

    mutant: str
    file: str
    where: str
    how: str
    check: str
    step: str
    kind: Kind
    red: list[str] = []
    blamed: str = ""
    preflight: list[str] = []
    by_peer: list[str] | None = None
    seconds: float = 0
    proof: str = ""


def name_of(result: Result) -> str:
    """The check without its cases."""
    return result.check.partition("[")[0]


def judge(mutant: Mutant, seen: Document, seconds: float, preflight: Iterable[str] = ()) -> Verdict:
    """The verdict by what was seen of a machine that the mutant had made, in so many seconds."""
    wrong = seen.wrong
    return Verdict(
        mutant=mutant.name,
        file=mutant.file,
        where=mutant.where,
        how=mutant.how,
        check=mutant.check or "",
        step=mutant.step or "",
        kind=_kind(mutant, wrong),
        red=list(dict.fromkeys(name_of(one) for one in wrong)),
        blamed=f"{wrong[0].script} {wrong[0].step}".strip() if wrong else "",
        preflight=sorted(preflight),
        seconds=round(seconds, 1),
    )


def equivalent(mutant: Mutant) -> Verdict:
    """The verdict on an edit of which nothing can be seen."""
    return _unseen(mutant, "equivalent", mutant.equivalent or "")


def not_judged(mutant: Mutant, why: str) -> Verdict:
    """The verdict on a mutant of which nothing is known."""
    return _unseen(mutant, "not judged", why)


def _unseen(mutant: Mutant, kind: Kind, why: str) -> Verdict:
    return Verdict(
        mutant=mutant.name, file=mutant.file, where="", how=mutant.how, check="", step="", kind=kind, proof=why
    )


def _kind(mutant: Mutant, wrong: list[Result]) -> Kind:
    if not wrong:
        return "survived"
    first = wrong[0]
    if name_of(first) != BRING_UP and (name_of(first), first.step) == (mutant.check, mutant.step):
        return "right check"
    for one in (one for one in wrong if name_of(one) == BRING_UP):
        named = mutant.step is not None and (one.script, one.step) == (mutant.file, mutant.step)
        if named or (mutant.says and mutant.says in one.message):
            return "right message"
    return "others"
