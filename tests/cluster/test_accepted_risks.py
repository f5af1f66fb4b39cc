"""The risks that the cluster's owner accepts, each up to a day."""

import pytest

from kubeproof.checks import Cluster, Spec


@pytest.mark.once
@pytest.mark.needs("accepted_risks")
def test_accepted_risks_are_current(cluster: Cluster, spec: Spec) -> None:
    """No accepted risk has run out: otherwise its owner decides again, or mends the cause."""
    assert cluster
    assert {name: f"until {risk.until}" for name, risk in spec.accepted_risks.items() if risk.has_run_out} == {}
