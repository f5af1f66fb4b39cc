"""However a spec is broken, it is refused with a line for each problem, or it is a spec: never a traceback."""

import copy
import itertools
import json
import re
import string
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeproof.process import paths
from kubeproof.spec import Spec, SpecError, load, stated

# The same examples on every machine, none remembered.
same_everywhere = settings(derandomize=True, database=None, deadline=None, max_examples=80)

TEXT = paths.DEFAULT_SPEC.read_text()
DOCUMENT: dict[str, Any] = yaml.safe_load(TEXT)
DOCUMENT["scripts"] = str(paths.DEFAULT_SPEC.parent.parent)

Place = tuple[str | int, ...]


def places(value: Any, above: Place = ()) -> list[Place]:
    """Where in a document there is something, from the top down."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, one in inside for place in [(*above, key), *places(one, (*above, key))]]


words = st.text(string.ascii_lowercase, min_size=1, max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(1 << 80)
    | st.floats()
    | st.dates()
    | st.datetimes()
    | st.binary(max_size=8)
    | st.text(max_size=8)
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars, inner, max_size=3)
)
networks = (
    st.sampled_from(["0.0.0.0/0", "192.168.1.0/24", "192.168.1.8/29", "192.168.1.9/24", "10.0.0.0/31", "10.0.0.1/32"])
    | st.ip_addresses().map(str)
    | st.ip_addresses().map(int)
)
addresses = st.sampled_from(["192.168.1.0", "192.168.1.10", "192.168.1.12", "192.168.1.255", "172.16.0.1"])


@st.composite
def changed(draw: st.DrawFn) -> dict[str, Any]:
    """The default spec, of which a few keys were dropped, misspelt or added, or hold another value."""
    document: dict[str, Any] = copy.deepcopy(DOCUMENT)
    for _ in range(draw(st.integers(1, 3))):
        *above, key = draw(st.sampled_from(places(document)))
        section: Any = document
        for part in above:
            section = section[part]
        value = section[key] if draw(st.booleans()) else draw(anything)
        if draw(st.booleans()):
            del section[key]
        if isinstance(section, dict):
            section[draw(st.sampled_from([key, f"{key}s"]) | words)] = value
    return document


@st.composite
def elsewhere(draw: st.DrawFn) -> dict[str, Any]:
    """The default spec on other networks and addresses."""
    document: dict[str, Any] = copy.deepcopy(DOCUMENT)
    for key in draw(st.sets(st.sampled_from(["node", "pod", "service"]))):
        document["networks"][key] = draw(networks)
    for node in draw(st.permutations(document["nodes"]))[:2]:
        node["address"] = draw(addresses | st.ip_addresses().map(str))
    return document


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The default spec's file, in which some bytes are others."""
    content = TEXT.encode()
    start = draw(st.integers(0, len(content)))
    end = draw(st.integers(start, min(start + 20, len(content))))
    put = draw(st.binary(max_size=8) | st.text("[]{}:,-&*!?|>'\"%@` \n\t#0x~<\x85\u2028", max_size=8).map(str.encode))
    return content[:start] + put + content[end:]


Judge = Callable[[bytes], Spec | list[str]]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """A spec of that content as the Vagrantfile would read it, or the lines that refuse it, without the file's name."""
    file = tmp_path_factory.mktemp("spec") / "spec.yaml"

    def judge(content: bytes) -> Spec | list[str]:
        file.write_bytes(content)
        try:
            spec = load(file)
        except SpecError as error:
            lines = str(error).splitlines()
            assert lines == [line for line in lines if line.startswith(f"{file}: ")]
            return [line.removeprefix(f"{file}: ") for line in lines]
        assert json.loads(spec.model_dump_json())["name"] == spec.name
        return spec

    return judge


def dumped(document: dict[str, Any]) -> bytes:
    """A document as a file has it."""
    return yaml.safe_dump(document, allow_unicode=True).encode()


def begins_with_a_key(line: str, document: dict[str, Any]) -> bool:
    """Whether the line names a key, one that is known or one that was given."""
    return re.split("[:.]", line, maxsplit=1)[0] in {*Spec.model_fields, *map(str, document)}


@same_everywhere
@given(document=changed())
def test_a_changed_spec_is_a_spec_or_its_keys_are_named(judged: Judge, document: dict[str, Any]) -> None:
    """Keys that are dropped, misspelt or added, and values of any kind."""
    answer = judged(dumped(document))
    if isinstance(answer, list):
        assert all(begins_with_a_key(line, document) or line.startswith("is not YAML: line ") for line in answer)


@same_everywhere
@given(document=elsewhere())
def test_networks_are_apart_and_hold_their_addresses(judged: Judge, document: dict[str, Any]) -> None:
    """In every spec that is not refused."""
    answer = judged(dumped(document))
    if isinstance(answer, Spec):
        assert not any(one.overlaps(other) for (_, one), (_, other) in itertools.combinations(answer.networks, 2))
        assert {stated(node.address) in list(stated(answer.networks.node).hosts())[1:] for node in answer.nodes} == {
            True
        }
        assert len({node.address for node in answer.nodes}) == len(answer.nodes)


@same_everywhere
@given(content=damaged() | st.binary(max_size=30))
def test_damaged_bytes_are_a_spec_or_refused(judged: Judge, content: bytes) -> None:
    """Broken YAML, and what is no text at all."""
    assert judged(content)
