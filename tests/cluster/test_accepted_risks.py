"""Accepted risks: the cluster's owner accepts each until a day."""

import pytest

from kubeproof.checks import Spec


@pytest.mark.once
@pytest.mark.needs("accepted_risks")
@pytest.mark.usefixtures("cluster")
def test_accepted_risks_are_current(spec: Spec) -> None:
    """No accepted risk has run out: its owner renews it or mends its cause."""
    assert {name: f"until {risk.until}" for name, risk in spec.accepted_risks.items() if risk.has_run_out} == {}
