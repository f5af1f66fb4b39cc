"""Proxies: the cluster's own traffic does not go through a proxy."""

import pytest
from testinfra.host import Host

from kubeproof.checks import Spec


@pytest.mark.step("install_pkg.sh", "container-runtime")
@pytest.mark.parametrize("service", ["containerd", "kubelet"])
@pytest.mark.needs("networks.node", "networks.pod", "networks.service", "components.containerd", "components.kubelet")
def test_no_proxy_covers_the_cluster(machine: Host, spec: Spec, service: str) -> None:
    """If a service's environment names a proxy, its NO_PROXY lists the cluster's networks."""
    words = machine.service(service).systemd_properties.get("Environment", "").split()
    variables = {name.upper(): value for name, _, value in (word.partition("=") for word in words)}
    excluded = variables.get("NO_PROXY", "").split(",")
    networks = (
        {str(network) for _, network in spec.networks} if variables.keys() & {"HTTP_PROXY", "HTTPS_PROXY"} else set()
    )
    assert networks - set(excluded) == set()
