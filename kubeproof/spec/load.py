"""Reads a spec: its YAML, the file that it extends, the validation of values, and the rules between values."""

import os
import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from kubeproof.spec import rules
from kubeproof.spec.model import SCHEMA_VERSION, Existing, Spec
from kubeproof.spec.wording import SpecError, in_one_line, line

PATHS = ("scripts", "kubeconfig", "ssh_config")  # relative to the folder of the file that states them
BASE = "extends"


class _Loader(yaml.SafeLoader):
    """SafeLoader, which also refuses repeated keys, and names the place of a value that Python can't hold."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        if isinstance(node, yaml.MappingNode):  # `!!map 5` comes here as well
            merged = "tag:yaml.org,2002:merge"
            keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != merged]
            for key in keys:
                if keys.count(key) > 1:
                    raise yaml.MarkedYAMLError(problem=f"the key {key!r} is given twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, str):
                value.encode()  # "\ud800" is half a character
        except (ValueError, LookupError, AttributeError, OverflowError):
            # A value that only looks like a date or a number: 2026-02-30, 0x, !!bool maybe.
            kind = node.tag.rsplit(":", 1)[-1]
            raise yaml.MarkedYAMLError(problem=f"is no {kind}: {node.value!r}", problem_mark=node.start_mark) from None
        if isinstance(value, int) and abs(value) > sys.maxsize:
            raise yaml.MarkedYAMLError(problem="the number is too large", problem_mark=node.start_mark)
        return value


def load(path: Path) -> Spec:
    """Read and validate the spec at `path`; raises SpecError, with one line for each problem."""
    document = _document(path, ())
    kind = Existing if document.get("provider") == "existing" else Spec
    _refuse_later_version(path, document)
    try:
        spec = kind.model_validate(document, context=kind is Spec)
    except ValidationError as error:
        raise SpecError("\n".join(f"{path}: {line(problem, kind)}" for problem in error.errors())) from None
    problems = [f"{path}: {problem}" for problem in rules.problems(spec)]
    if problems:
        raise SpecError("\n".join(problems))
    return spec


def _document(path: Path, extending: tuple[Path, ...]) -> dict[Any, Any]:
    """The mapping at `path` with absolute paths, merged over the mapping that it extends."""
    document = _read(path)
    if not isinstance(document, dict):
        raise SpecError(f"{path}: must be a mapping of keys such as name, provider and nodes")
    document = _with_absolute_paths(document, path)
    if BASE not in document:
        return document
    base = document.pop(BASE)
    if not isinstance(base, str) or not base.isprintable():
        raise SpecError(f"{path}: {BASE}: {base!r} must be the path of the spec that this one extends")
    file = _absolute(base, path.parent)
    if file in (*extending, path):
        raise SpecError(f"{path}: {BASE}: {file} extends this file again: leave one of the two out")
    return _merged(_document(file, (*extending, path)), document)


def _merged(base: dict[Any, Any], own: dict[Any, Any]) -> dict[Any, Any]:
    """`base` with the keys of `own`: mappings are merged key by key; null in place of a mapping takes it out."""
    merged = {**base}
    for key, value in own.items():
        if isinstance(base.get(key), dict) and value is None:
            del merged[key]
        elif isinstance(base.get(key), dict) and isinstance(value, dict):
            merged[key] = _merged(base[key], value)
        else:
            merged[key] = value
    return merged


def _refuse_later_version(path: Path, document: dict[Any, Any]) -> None:
    version = document.get("schema_version", 1)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise SpecError(
            f"{path}: schema_version: this kubeproof reads specs up to version {SCHEMA_VERSION}, and this one has "
            f"version {version}: install a later kubeproof"
        )


def _read(path: Path) -> Any:
    try:
        # A subclass of SafeLoader.
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
    except OSError as error:
        raise SpecError(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: is not UTF-8: {error.reason} at byte {error.start}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        raise SpecError(f"{path}: is not YAML: {where}: {in_one_line(error.problem or error.context)}") from None
    except yaml.YAMLError as error:
        raise SpecError(f"{path}: is not YAML: {in_one_line(error)}") from None
    except RecursionError:
        raise SpecError(f"{path}: is nested too deeply") from None


def _with_absolute_paths(document: dict[Any, Any], path: Path) -> dict[Any, Any]:
    given = {key: value for key, value in document.items() if key in PATHS and isinstance(value, str)}
    try:
        return {**document, **{key: _absolute(value, path.parent) for key, value in given.items()}}
    except ValueError:  # validation refuses characters that no path has
        return document


def _absolute(text: str, folder: Path) -> Path:
    return Path(os.path.realpath(folder / os.path.expanduser(text)))  # noqa: PTH111 # pathlib raises for an unknown ~name
