"""Every check can fail: its fault is made on a living cluster, it is red, and so is only what must follow from it.

`make red` runs this, `make test` does not.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeproof import paths
from kubeproof.spec import load
from selftests.seen_red.kept_cluster import AS_IT_IS, KeptCluster, red, red_facts

BATCHES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("faults.yaml").read_text())
SPOILED: dict[str, dict[str, list[str]]] = yaml.safe_load(Path(__file__).with_name("experiments.yaml").read_text())
# The default cluster's own faults, which its spec accepts and the one here does not.
THROUGHOUT = set(load(paths.DEFAULT_SPEC).accepted_risks)


@pytest.fixture(scope="module", autouse=True)
def whole(kept: KeptCluster) -> Iterator[None]:
    """Without a fault of ours nothing else is red: before the first is made, and when the last is mended.

    That a batch is mended in between is seen by the next one, in which nothing is red but what is to be.
    """
    assert red(kept.judge("not coredns_spread")) == THROUGHOUT
    # kubeadm started its replicas where they could run then: all on one node.
    dns = "kubectl --namespace kube-system rollout {} deployment coredns"
    kept.enter("m-k8s").check_output(f"{dns.format('restart')} && {dns.format('status')} --timeout 90s")
    yield
    assert red(kept.judge()) == THROUGHOUT


def named(batch: dict[str, Any], *keys: str) -> set[str]:
    """The checks that a batch's faults name under those keys."""
    return {check for fault in batch["faults"] for key in keys for check in fault.get(key, [])}


@pytest.mark.parametrize("batch", [one for one in BATCHES if "experiment" not in one], ids=lambda one: one["name"])
def test_checks_see_their_faults(batch: dict[str, Any], kept: KeptCluster) -> None:
    """Each check of the batch is red while its fault is in, with what follows from it, and nothing else is."""
    spec = kept.existing(**batch["spec"]) if "spec" in batch else None
    with kept.broken(batch["faults"]):
        seen = red(kept.judge(batch.get("judged", ""), spec=spec))
    throughout = set() if "judged" in batch else THROUGHOUT
    assert seen - named(batch, "may") == named(batch, "red", "follows") | throughout


@pytest.mark.parametrize("batch", [one for one in BATCHES if "experiment" in one], ids=lambda one: one["name"])
def test_experiments_see_what_else_is_wrong(batch: dict[str, Any], kept: KeptCluster) -> None:
    """Each fact of the batch is red while its fault is in, and nothing else of the experiment is."""
    with kept.broken(batch["faults"]):
        judged = kept.judge(batch["experiment"], spoiled=AS_IT_IS)
    assert red(judged) - named(batch, "may") == named(batch, "red")


@pytest.mark.parametrize("way", SPOILED)
def test_experiments_see_what_does_not_happen(way: str, kept: KeptCluster) -> None:
    """Facts of what a fault does are red without it, and facts of what goes on or comes back where that does not."""
    facts = {f"{experiment}: {fact}" for experiment, facts in SPOILED[way].items() for fact in facts}
    seen = red_facts(kept.judge(spoiled=way))
    kept.settle()
    assert facts - seen == set()
