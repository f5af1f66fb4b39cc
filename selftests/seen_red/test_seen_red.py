"""Every check can fail: its fault is made on a living cluster, it is red, and so is only what must follow from it.

That a batch is mended is seen by the next one, in which nothing is red but what is to be; and at the end. `make red`
runs this, `make test` does not.
"""

from typing import Any

import pytest

from selftests.seen_red import written
from selftests.seen_red.kept_cluster import AS_IT_IS, KeptCluster, red, red_facts


def batches(*, experiment: bool) -> list[Any]:
    """Each batch of faults, of experiments or of what only looks, with the cluster that it is of."""
    return [
        pytest.param(cluster, batch, id=batch["name"])
        for cluster in written.CLUSTERS
        for batch in written.faults(cluster)
        if ("experiment" in batch) == experiment
    ]


def spoiled() -> list[Any]:
    """Each way in which experiments go wrong, and their facts that are red then, with the cluster that it is of."""
    return [
        pytest.param(cluster, way, facts, id=f"{cluster.stem}: {way}")
        for cluster in written.CLUSTERS
        for way, facts in written.experiments(cluster).items()
    ]


def named(batch: dict[str, Any], *keys: str) -> set[str]:
    """The checks that a batch's faults name under those keys."""
    return {check for fault in batch["faults"] for key in keys for check in fault.get(key, [])}


@pytest.mark.parametrize(("bundled", "batch"), batches(experiment=False), indirect=["bundled"])
def test_checks_see_their_faults(batch: dict[str, Any], kept: KeptCluster) -> None:
    """Each check of the batch is red while its fault is in, with what follows from it, and nothing else is."""
    spec = kept.existing(**batch["spec"]) if "spec" in batch else None
    with kept.broken(batch["faults"]):
        # For few checks, workers would be starting for longer than they judge.
        seen = red(kept.judge(batch.get("judged", ""), workers="0" if "judged" in batch else "auto", spec=spec))
    must = named(batch, "red", "follows") | (set() if "judged" in batch else kept.throughout)
    assert seen - (named(batch, "may") - must) == must


@pytest.mark.parametrize(("bundled", "batch"), batches(experiment=True), indirect=["bundled"])
def test_experiments_see_what_else_is_wrong(batch: dict[str, Any], kept: KeptCluster) -> None:
    """Each fact of the batch is red while its fault is in, and nothing else of the experiment is."""
    with kept.broken(batch["faults"]):
        judged = kept.judge(batch["experiment"], spoiled=AS_IT_IS)
    assert red(judged) - named(batch, "may") == named(batch, "red", "follows")


@pytest.mark.parametrize(("bundled", "way", "experiments"), spoiled(), indirect=["bundled"])
def test_experiments_see_what_does_not_happen(way: str, experiments: dict[str, list[str]], kept: KeptCluster) -> None:
    """Facts of what a fault does are red without it, and facts of what goes on or comes back where that does not."""
    facts = {f"{experiment}: {fact}" for experiment, facts in experiments.items() for fact in facts}
    seen = red_facts(kept.judge(" or ".join(f"test_{experiment}" for experiment in experiments), spoiled=way))
    kept.settle()
    assert facts - seen == set()
