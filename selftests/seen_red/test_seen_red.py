"""Every check can fail: it is red while its fault is in a real cluster, with only those that must follow.

The next batch, or the end of the session, shows that a batch is mended: nothing else is red then. `make red` runs this,
`make test` does not.
"""

from typing import Any

import pytest

from selftests.seen_red import written
from selftests.seen_red.kept_cluster import AS_IT_IS, KeptCluster, red, red_of_experiments


def batches(*, experiment: bool) -> list[Any]:
    """Each batch of faults with its cluster: those of experiments, or those of read-only checks."""
    return [
        pytest.param(cluster, batch, id=batch["name"])
        for cluster in written.CLUSTERS
        for batch in written.faults(cluster)
        if ("experiment" in batch) == experiment
    ]


def spoiled() -> list[Any]:
    """Each way of spoiling with its cluster and the experiments' checks that it turns red."""
    return [
        pytest.param(cluster, way, facts, id=f"{cluster.stem}: {way}")
        for cluster in written.CLUSTERS
        for way, facts in written.experiments(cluster).items()
    ]


def named(batch: dict[str, Any], *keys: str) -> set[str]:
    """The checks under those keys of the batch's faults."""
    return {check for fault in batch["faults"] for key in keys for check in fault.get(key, [])}


@pytest.mark.parametrize(("bundled", "batch"), batches(experiment=False), indirect=["bundled"])
def test_checks_see_their_faults(batch: dict[str, Any], kept: KeptCluster) -> None:
    """While a batch's faults are in, exactly the checks that it names are red."""
    spec = kept.existing(**batch["spec"]) if "spec" in batch else None
    with kept.broken(batch["faults"]):
        # For few checks, starting workers takes longer than the judging.
        judged = red(kept.judge(batch.get("judged", ""), workers="0" if "judged" in batch else "auto", spec=spec))
    must = named(batch, "red", "follows") | (set() if "judged" in batch else kept.throughout)
    assert judged - (named(batch, "may") - must) == must


@pytest.mark.parametrize(("bundled", "batch"), batches(experiment=True), indirect=["bundled"])
def test_experiments_see_what_else_is_wrong(batch: dict[str, Any], kept: KeptCluster) -> None:
    """While a batch's faults are in, exactly the experiment's checks that it names are red."""
    with kept.broken(batch["faults"]):
        judged = kept.judge(batch["experiment"], spoiled=AS_IT_IS)
    assert red(judged) - named(batch, "may") == named(batch, "red", "follows")


@pytest.mark.parametrize(("bundled", "way", "experiments"), spoiled(), indirect=["bundled"])
def test_experiments_see_what_does_not_happen(way: str, experiments: dict[str, list[str]], kept: KeptCluster) -> None:
    """Checks of a fault's effects are red without it; checks of what goes on or returns are red if it does not."""
    expected = {f"{experiment}: {check}" for experiment, checks in experiments.items() for check in checks}
    judged = red_of_experiments(
        kept.judge(" or ".join(f"test_{experiment}" for experiment in experiments), spoiled=way)
    )
    kept.settle()
    assert expected - judged == set()
