"""Every check of the inventory is seen red somewhere: by a fault, by a mutant, or where it stands below."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeproof import paths
from kubeproof.mutation import model
from kubeproof.spec import load

TESTS, SELFTESTS = paths.CHECKOUT / "tests", paths.CHECKOUT / "selftests"
FAULTS: list[dict[str, Any]] = yaml.safe_load((SELFTESTS / "seen_red/faults.yaml").read_text())
SPOILED: dict[str, dict[str, list[str]]] = yaml.safe_load((SELFTESTS / "seen_red/experiments.yaml").read_text())
# The spec of the faults accepts no risk: these are red there throughout.
ACCEPTED = set(load(paths.DEFAULT_SPEC).accepted_risks)
# What the lab's machines can't be asked is red, and green, on a stand-in for such a machine.
ON_STAND_INS = {
    "selinux_is_permissive",
    "clock_is_synchronised",
    "product_uuid_is_unique",
    "dhcp_leaves_the_resolver_alone",
    "network_manager_leaves_the_resolver_alone",
    "network_manager_leaves_calicos_interfaces_alone",
}

# The faults' cluster has Calico: of these, which are of Flannel, no fault is written down yet. Each is to go from here.
NOT_YET = {
    "bridge_filter_off: service_answers_again",
    "bridge_filter_off: service_answers_the_machine",
    "bridge_filter_off: service_falls_silent",
    "flannel_backend",
    "flannel_device_endpoint",
    "flannel_device_mtu",
    "flannel_lease_mtu",
    "flannel_lease_network",
    "flannel_lease_subnet",
    "flannel_network",
    "flannel_node_ip",
    "flannel_on_every_node",
    "flannel_plugin_is_configured",
    "flannel_pod_addresses",
    "flannel_restarted: flannel_is_ready_again",
    "flannel_restarted: no_flow_was_cut",
    "flannel_restarted: pod_answers_meanwhile",
    "flannel_route",
    "flannel_version",
    "network_manager_leaves_flannels_interfaces_alone",
}
# A mutant may stop the bring-up, which is reported as a check.
CHECKS_OF_NO_TEST = {"bring_up"}


def written() -> Iterator[str]:
    """Every check that there is; an experiment's facts with its file, since several ask the same."""
    for file in sorted(TESTS.rglob("test_*.py")):
        text = file.read_text()
        where = f"{of(file)}: " if "mark.experiment(" in text else ""
        yield from (f"{where}{name}" for name in re.findall(r"^ *def test_(\w+)", text, re.MULTILINE))


def of(file: Path) -> str:
    """The experiment that the file has."""
    return file.stem.removeprefix("test_")


def seen() -> set[str]:
    """Every check that something turns red."""
    return by_faults("red", "follows") | by_spoiling() | by_mutants() | ON_STAND_INS | ACCEPTED


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
    return {f"{where}: {name}" for way in SPOILED.values() for where, names in way.items() for name in names}


def test_every_check_is_seen_red() -> None:
    """None that could not fail, but those of which that is yet to be shown."""
    assert set(written()) - seen() == NOT_YET


def test_nothing_else_is_seen_red() -> None:
    """A check of another name is none of the inventory's."""
    assert (seen() | by_faults("may")) - set(written()) == set()


@pytest.mark.parametrize("check", sorted(ON_STAND_INS))
def test_a_stand_in_is_judged(check: str) -> None:
    """By the check itself."""
    assert f"test_{check}" in (SELFTESTS / "test_systems.py").read_text()
