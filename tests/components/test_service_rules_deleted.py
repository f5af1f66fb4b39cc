"""Service rules deleted on a worker: kube-proxy notices that its canary is gone, and makes all rules again."""

from collections.abc import Iterator

import pytest

from kubeproof.checks import Experiment, at_rest, fetch, timers, wait_for

# kube-proxy's monitor looks for the canary chains alone (KEP-2178): it could take an hour, until the next full sync, to
# notice that only its rules are gone. kube-proxy is stopped until the Service is proved silent: otherwise any change in
# the cluster would make it write its rules again.
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
    """The URL of a Service that answered before the worker's rules were deleted."""
    host = experiment.host
    url = experiment.serve(experiment.running("served"))
    wait_for("the Service answers", lambda: fetch(host, url) == "served", within=margin)
    experiment.ask("the Service, from the worker", host, url, "served")
    with experiment.fault(
        "Service rules deleted",
        make=DELETE,
        # kubelet restarts the container, which makes all rules at its start.
        mend=f"{LET_GO}; pidof kube-proxy | xargs --no-run-if-empty kill -TERM",
        is_in=lambda: wait_for("the Service is silent", lambda: fetch(host, url) == "", within=10),
        is_mended=lambda: at_rest(experiment.api, experiment.node.name),
        heals=True,
    ):
        host.check_output(LET_GO)
        yield url


@pytest.mark.experiment(claims="a node", lasts=25)
@pytest.mark.needs("components.kube-proxy", "kubernetes.proxy_mode == iptables")
class TestServiceRulesDeleted:
    """The rules are deleted once, and kube-proxy makes them again."""

    def test_rules_are_made_again(self, experiment: Experiment, deleted: str, margin: float) -> None:
        """kube-proxy makes the rules again within its sync period."""
        within = timers.kube_proxy_sync(experiment.host) + margin
        wait_for("the Service answers", lambda: fetch(experiment.host, deleted) == "served", within=within)
