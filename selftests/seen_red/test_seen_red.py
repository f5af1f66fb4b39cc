"""Every check can fail: its fault is made on a living cluster, it is red, and so is only what must follow from it.

That a batch is mended is seen by the next one, in which nothing is red but what is to be; and at the end. `make red`
runs this, `make test` does not.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from selftests.seen_red.kept_cluster import AS_IT_IS, THROUGHOUT, KeptCluster, red, red_facts

BATCHES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("faults.yaml").read_text())
SPOILED: dict[str, dict[str, list[str]]] = yaml.safe_load(Path(__file__).with_name("experiments.yaml").read_text())


def named(batch: dict[str, Any], *keys: str) -> set[str]:
    """The checks that a batch's faults name under those keys."""
    return {check for fault in batch["faults"] for key in keys for check in fault.get(key, [])}


@pytest.mark.parametrize("batch", [one for one in BATCHES if "experiment" not in one], ids=lambda one: one["name"])
def test_checks_see_their_faults(batch: dict[str, Any], kept: KeptCluster) -> None:
    """Each check of the batch is red while its fault is in, with what follows from it, and nothing else is."""
    spec = kept.existing(**batch["spec"]) if "spec" in batch else None
    with kept.broken(batch["faults"]):
        # For few checks, workers would be starting for longer than they judge.
        seen = red(kept.judge(batch.get("judged", ""), workers="0" if "judged" in batch else "auto", spec=spec))
    must = named(batch, "red", "follows") | (set() if "judged" in batch else THROUGHOUT)
    assert seen - (named(batch, "may") - must) == must


@pytest.mark.parametrize("batch", [one for one in BATCHES if "experiment" in one], ids=lambda one: one["name"])
def test_experiments_see_what_else_is_wrong(batch: dict[str, Any], kept: KeptCluster) -> None:
    """Each fact of the batch is red while its fault is in, and nothing else of the experiment is."""
    with kept.broken(batch["faults"]):
        judged = kept.judge(batch["experiment"], spoiled=AS_IT_IS)
    assert red(judged) - named(batch, "may") == named(batch, "red", "follows")


@pytest.mark.parametrize("way", SPOILED)
def test_experiments_see_what_does_not_happen(way: str, kept: KeptCluster) -> None:
    """Facts of what a fault does are red without it, and facts of what goes on or comes back where that does not."""
    facts = {f"{experiment}: {fact}" for experiment, facts in SPOILED[way].items() for fact in facts}
    seen = red_facts(kept.judge(spoiled=way))
    kept.settle()
    assert facts - seen == set()
