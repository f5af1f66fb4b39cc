"""Every check of the inventory is red somewhere: after a fault, with a mutant, or on a stand-in listed below."""

import re
from collections import Counter
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
# The faults' spec accepts no risk, so these checks are red throughout.
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
# A mutant may stop the bring-up, which is reported as a check without a test function.
WITHOUT_TEST = {"bring_up"}


def inventory() -> Iterator[str]:
    """Every check; an experiment's checks with its name, because several experiments have checks of the same name."""
    for file in sorted(TESTS.rglob("test_*.py")):
        text = file.read_text()
        prefix = (
            f"{experiment(file)}: " if re.search(r"mark\.experiment\([^)]*claims=\"(a node|the cluster)", text) else ""
        )
        yield from (f"{prefix}{name}" for name in re.findall(r"^ *def test_(\w+)", text, re.MULTILINE))


def experiment(file: Path) -> str:
    """The name of the experiment in a file."""
    return file.stem.removeprefix("test_")


def red() -> set[str]:
    """Every check that is red somewhere."""
    return by_faults("red", "follows") | by_spoiling() | by_mutants() | {*ON_STAND_INS} | ACCEPTED


def by_faults(*keys: str) -> set[str]:
    """The checks that the faults list under those keys."""
    return {
        f"{batch['experiment'].split()[0]}: {check}" if "experiment" in batch else check
        for batch in FAULTS
        for fault in batch["faults"]
        for key in keys
        for check in fault.get(key, [])
    }


def by_mutants() -> set[str]:
    """The checks that are red after a mutant of the scripts."""
    mutants = model.load(paths.MUTANTS)
    return {mutant.check for mutant in mutants if mutant.check and mutant.check not in WITHOUT_TEST}


def by_spoiling() -> set[str]:
    """The checks that are red in experiments that go wrong."""
    return {f"{title}: {check}" for spoiled in SPOILED for title, checks in spoiled.items() for check in checks}


def test_every_check_is_seen_red() -> None:
    """The inventory contains no check that can't fail."""
    unseen = set(inventory()) - red()
    assert unseen == set(), "no fault turns these checks red: docs/architecture.md says where to name one"


def test_nothing_else_is_seen_red() -> None:
    """Faults, mutants and stand-ins name only checks of the inventory."""
    unknown = (red() | by_faults("may")) - set(inventory())
    assert unknown == set(), (
        "no such checks; a name has no test_, and in an experiment its file before it, as in etcd_stopped: x"
    )


def test_no_two_checks_have_the_same_name() -> None:
    """Otherwise one fault would count for both, and one accepted risk would excuse both."""
    assert {name for name, count in Counter(inventory()).items() if count > 1} == set()


@pytest.mark.parametrize(("check", "file"), ON_STAND_INS.items())
def test_a_stand_in_is_judged(check: str, file: str) -> None:
    """The self-test runs the check itself."""
    assert f"test_{check}" in (SELFTESTS / file).read_text()
