"""The conditions that a check puts on the spec: `@pytest.mark.needs` and `unless` name them.

A condition is a path, such as "networks.pod" or "components.calico", which the spec must state; or a path and a value,
such as "kubernetes.proxy_mode == iptables".
"""

from typing import Any

from pydantic import BaseModel

# Paths of properties, which are no keys of a spec.
REASONS = {
    "ssh": "the spec names no ssh_config",
    "nodes": "the spec lists no nodes",
    "workers": "the spec lists no workers",
}


def is_met(spec: BaseModel, need: str) -> bool:
    """Whether the spec states the path and, if the condition has one, the value.

    Raises AttributeError if no spec has such a key.
    """
    path, _, wanted = need.partition(" == ")
    return is_stated(spec, path) and wanted in ("", _text(_value(spec, path)))


def reason(spec: BaseModel, need: str) -> str:
    """Why an unmet condition is not met, for the report."""
    path, _, wanted = need.partition(" == ")
    if path in REASONS:
        return REASONS[path]
    if wanted and is_stated(spec, path):
        return f"the spec's {path} is {_text(_value(spec, path))}, not {wanted}"
    return f"the spec does not state {path}"


def is_stated(value: Any, path: str) -> bool:
    """Whether `value` has a value at `path` that is not null, an empty list or an empty mapping.

    A list of sections states a path if it is not empty and each section does; a list or a mapping of values states its
    own members. Raises AttributeError if a section has no such key.
    """
    return _value(value, path) not in (None, [], {})


def _value(value: Any, path: str) -> Any:
    """The value at `path`, or None; True for a list of sections that all state it."""
    if not path or value is None:
        return value
    if isinstance(value, list) and value and isinstance(value[0], BaseModel):
        return all(is_stated(section, path) for section in value) or None
    if isinstance(value, list | dict):
        return (value[path] if isinstance(value, dict) else path) if path in value else None
    key, _, rest = path.partition(".")
    try:
        return _value(getattr(value, key), rest)
    except LookupError:  # NotStated, from a property
        return None


def _text(value: Any) -> str:
    """The value as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
