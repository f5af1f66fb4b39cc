"""Service rules deleted on a worker: kube-proxy finds its canary gone, and makes them all again."""

from collections.abc import Iterator

import pytest

from kubeproof.checks import Experiment, at_rest, fetch, timers, wait_for

# KEP-2178's and kube-proxy's own monitor: it looks for these chains, not for its rules. A plain flush of the rules
# alone could be left for an hour, until the next full sync.
# Held until the silence is proved: whatever changes in the cluster meanwhile would have it write its rules anew.
DELETE = """
kill -STOP $(pidof kube-proxy)
for table in mangle nat filter; do
  iptables --table $table --flush KUBE-PROXY-CANARY; iptables --table $table --delete-chain KUBE-PROXY-CANARY
done
iptables --table nat --flush KUBE-SERVICES
"""
LET_GO = "pidof kube-proxy | xargs --no-run-if-empty kill -CONT"


@pytest.fixture(scope="class")
def deleted(experiment: Experiment, margin: float) -> Iterator[str]:
    """A Service that answered, and for which the worker has no rules any more."""
    host = experiment.host
    url = experiment.serve(experiment.running("served"))
    wait_for("the Service answers", lambda: fetch(host, url) == "served", within=margin)
    experiment.ask("the Service, from the worker", host, url, "served")
    with experiment.fault(
        "Service rules deleted",
        make=DELETE,
        # Its container is started again, and makes all its rules.
        mend=f"{LET_GO}; pidof kube-proxy | xargs --no-run-if-empty kill -TERM",
        is_in=lambda: wait_for("the Service is silent", lambda: fetch(host, url) == "", within=10),
        is_mended=lambda: at_rest(experiment.api, experiment.node.name),
        heals=True,
    ):
        host.check_output(LET_GO)
        yield url


@pytest.mark.experiment(claims="a node", lasts=25)
@pytest.mark.needs("components.kube-proxy")
class TestServiceRulesDeleted:
    """Deleted once; kube-proxy mends it by itself."""

    def test_rules_are_made_again(self, experiment: Experiment, deleted: str, margin: float) -> None:
        """Within its own sync period."""
        within = timers.kube_proxy_sync(experiment.host) + margin
        wait_for("the Service answers", lambda: fetch(experiment.host, deleted) == "served", within=within)
