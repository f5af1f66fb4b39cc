"""Provisioning again changes nothing: each script finds its work done."""

from collections.abc import Callable

import pytest
from testinfra.host import Host

from kubeproof import bring_up, package_manager
from kubeproof.spec import Node, Spec

FILES = (
    "find /etc /root /var/lib/kubelet/config.yaml /var/lib/kubelet/kubeadm-flags.env -xdev -type f "
    "-not -path '/root/.kube/cache/*' -exec sha256sum {} + | sort -k 2"
)
UNITS = "systemctl list-unit-files --no-legend --no-pager"


def looked_at(enter: Callable[[str], Host], spec: Spec) -> dict[str, dict[str, list[str]]]:
    """What each machine has, by what is listed."""
    return {
        node.name: {
            "files": enter(node.name).check_output(FILES).splitlines(),
            "packages": package_manager.installed(enter(node.name)),
            "units": enter(node.name).check_output(UNITS).splitlines(),
        }
        for node in spec.nodes
    }


@pytest.fixture(scope="class")
def before(enter: Callable[[str], Host], spec: Spec) -> dict[str, dict[str, list[str]]]:
    """What there was."""
    return looked_at(enter, spec)


@pytest.fixture(scope="class")
def after(
    before: dict[str, dict[str, list[str]]], enter: Callable[[str], Host], spec: Spec
) -> dict[str, dict[str, list[str]]]:
    """What there is, once every script has run again, and ended well, on every machine."""
    assert before
    bring_up.provision_again()
    return looked_at(enter, spec)


@pytest.mark.experiment(claims="the cluster")
@pytest.mark.parametrize("listing", ["files", "packages", "units"])
@pytest.mark.needs("scripts")
class TestProvisionedAgain:
    """Provisioned once more."""

    @pytest.mark.step("config.sh", "hosts")
    def test_provisioning_again_changes_nothing(
        self,
        before: dict[str, dict[str, list[str]]],
        after: dict[str, dict[str, list[str]]],
        node: Node,
        listing: str,
    ) -> None:
        """The machine has what it had."""
        assert set(after[node.name][listing]) ^ set(before[node.name][listing]) == set()
