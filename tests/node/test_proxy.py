"""A proxy, where one is set."""

import pytest
from testinfra.host import Host

from kubeproof.checks import Spec


@pytest.mark.step("install_pkg.sh", "container-runtime")
@pytest.mark.parametrize("service", ["containerd", "kubelet"])
@pytest.mark.needs("networks.node", "networks.pod", "networks.service", "components.containerd", "components.kubelet")
def test_no_proxy_covers_the_cluster(machine: Host, spec: Spec, service: str) -> None:
    """A service that is told of a proxy is told as well not to ask it for the cluster's own addresses."""
    words = machine.service(service).systemd_properties.get("Environment", "").split()
    told = {name.upper(): value for name, _, value in (word.partition("=") for word in words)}
    spared = told.get("NO_PROXY", "").split(",")
    networks = {str(network) for _, network in spec.networks} if told.keys() & {"HTTP_PROXY", "HTTPS_PROXY"} else set()
    assert networks - set(spared) == set()
