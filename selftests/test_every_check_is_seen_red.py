"""Every check of the inventory is seen red somewhere: by a fault, by a mutant, or where it stands below."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubeproof.mutation import model
from kubeproof.process import paths
from kubeproof.spec import load
from selftests.seen_red import written as made_red

TESTS, SELFTESTS = paths.CHECKOUT / "tests", paths.CHECKOUT / "selftests"
FAULTS = [batch for cluster in made_red.CLUSTERS for batch in made_red.faults(cluster)]
SPOILED = [facts for cluster in made_red.CLUSTERS for facts in made_red.experiments(cluster).values()]
# The spec of the faults accepts no risk: these are red there throughout.
ACCEPTED = set(load(paths.DEFAULT_SPEC).accepted_risks)
# A self-test turns these red, and green, on a stand-in: no machine of the lab and no bundled spec can show the fault.
ON_STAND_INS = {
    "accepted_risks_are_current": "test_existing.py",
    "selinux_is_permissive": "test_systems.py",
    "clock_is_synchronised": "test_systems.py",
    "product_uuid_is_unique": "test_systems.py",
    "dhcp_leaves_the_resolver_alone": "test_systems.py",
    "network_manager_leaves_the_resolver_alone": "test_systems.py",
    "network_manager_leaves_calicos_interfaces_alone": "test_systems.py",
    "network_manager_leaves_flannels_interfaces_alone": "test_systems.py",
}
# A mutant may stop the bring-up, which is reported as a check.
CHECKS_OF_NO_TEST = {"bring_up"}


def written() -> Iterator[str]:
    """Every check that there is; an experiment's facts with its file, since several ask the same."""
    for file in sorted(TESTS.rglob("test_*.py")):
        text = file.read_text()
        where = f"{of(file)}: " if re.search(r"mark\.experiment\(claims=\"(a node|the cluster)", text) else ""
        yield from (f"{where}{name}" for name in re.findall(r"^ *def test_(\w+)", text, re.MULTILINE))


def of(file: Path) -> str:
    """The experiment that the file has."""
    return file.stem.removeprefix("test_")


def seen() -> set[str]:
    """Every check that something turns red."""
    return by_faults("red", "follows") | by_spoiling() | by_mutants() | {*ON_STAND_INS} | ACCEPTED


def by_faults(*keys: str) -> set[str]:
    """What the batches of faults name under those keys."""
    return {
        f"{batch['experiment'].split()[0]}: {check}" if "experiment" in batch else check
        for batch in FAULTS
        for fault in batch["faults"]
        for key in keys
        for check in fault.get(key, [])
    }


def by_mutants() -> set[str]:
    """What is red of scripts that lost or changed something."""
    mutants = model.load(paths.MUTANTS)
    return {one.check for one in mutants if one.check and one.check not in CHECKS_OF_NO_TEST}


def by_spoiling() -> set[str]:
    """What is red of experiments that go wrong."""
    return {f"{where}: {name}" for way in SPOILED for where, names in way.items() for name in names}


def test_every_check_is_seen_red() -> None:
    """None that could not fail."""
    assert set(written()) - seen() == set()


def test_nothing_else_is_seen_red() -> None:
    """A check of another name is none of the inventory's."""
    assert (seen() | by_faults("may")) - set(written()) == set()


@pytest.mark.parametrize(("check", "file"), ON_STAND_INS.items())
def test_a_stand_in_is_judged(check: str, file: str) -> None:
    """By the check itself."""
    assert f"test_{check}" in (SELFTESTS / file).read_text()
