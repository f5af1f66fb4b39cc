"""AppArmor: its profiles leave the runtime and the pods their work."""

import pytest
from testinfra.host import Host

# apparmor(7): how a refusal is logged, and the profiles under which a runtime and its containers run.
DENIED = 'apparmor="DENIED".*profile="(cri-containerd|containerd|runc|crun|kubelet)'


@pytest.mark.step("install_pkg.sh", "container-runtime")
def test_apparmor_denies_nothing(machine: Host) -> None:
    """Nothing was refused to the runtime or to a pod since the machine booted: they would find out by odd errors."""
    assert machine.run("journalctl --boot --quiet --output cat --grep %s", DENIED).stdout == ""
