"""The messages for an invalid spec: a line for each problem, with the key, the value and the right kind."""

import datetime
import difflib
import reprlib

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from kubeproof.spec.values import ABSENT

LONGEST = 80  # characters of a value that a message quotes
# By pydantic's type of error.
SENTENCES = {
    "missing": "is required and not there",
    "invalid_key": "the key {value} must be text: put it in quotes",  # YAML reads on and no as true and false
    "string_too_short": "must not be empty",
    "model_type": "{value} must be a mapping of keys",
    "dict_type": "{value} must be a mapping",
    "list_type": "{value} must be a list",
    "is_instance_of": "{value} must be a path",
    "invalid-json-value": "{value} must be text, a number, true, false, a list or a mapping",
    "recursion_loop": "must not contain itself",
}


class SpecError(Exception):
    """The spec can't be used; the message names each key, its value and the right kind of value."""


def line(problem: ErrorDetails, spec: type[BaseModel]) -> str:
    """One line for a problem that pydantic found in a document for `spec`."""
    parts = [str(part) for part in problem["loc"]]
    keys = ".".join(part if part.isprintable() and len(part) <= LONGEST else _short(part) for part in parts)
    sentence = _sentence(problem, spec)
    return f"{keys}: {sentence}" if keys else sentence


def in_one_line(message: object) -> str:
    """Another library's message without line ends."""
    return " ".join(str(message).split())


def _sentence(problem: ErrorDetails, spec: type[BaseModel]) -> str:
    kind = "missing" if problem["input"] is ABSENT else problem["type"]
    value = _quoted(problem["input"])
    if kind in SENTENCES:
        return SENTENCES[kind].format(value=value)
    match kind:
        case "extra_forbidden":
            return _unknown_key(str(problem["loc"][-1]), [*_section(spec, problem["loc"]).model_fields])
        case "string_type":
            needs_quotes = isinstance(problem["input"], int | float | datetime.date)
            return f"{value} must be text" + (": put it in quotes" if needs_quotes else "")
        case "null":
            return problem["msg"]
        case _:
            return f"{value} {in_one_line(problem['msg']).replace('Input should', 'must')}"


def _unknown_key(key: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(key, known, n=1)
    return "is not a known key; " + (f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(known)}")


def _quoted(value: object) -> str:
    if value is None:
        return "is empty: it"
    return str(value) if isinstance(value, datetime.date) else _short(value)


def _short(value: object) -> str:
    short = reprlib.Repr()
    short.maxstring = short.maxother = LONGEST
    return short.repr(value)


def _section(spec: type[BaseModel], keys: tuple[int | str, ...]) -> type[BaseModel]:
    """The section that the last key belongs to; an index of a list or a name in a mapping leads no deeper."""
    section = spec
    for part in keys[:-1]:
        field = section.model_fields.get(str(part))
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
        section = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), section)
    return section
