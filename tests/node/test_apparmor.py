"""AppArmor: its profiles do not stop the runtime or the pods."""

import pytest
from testinfra.host import Host

# apparmor(7): the log line of a refusal, with the profiles of a runtime and its containers.
DENIED = 'apparmor="DENIED".*profile="(cri-containerd|containerd|runc|crun|kubelet)'


@pytest.mark.step("install_pkg.sh", "container-runtime")
def test_apparmor_denies_nothing(machine: Host) -> None:
    """AppArmor has refused nothing to the runtime or to a pod since the machine booted."""
    assert machine.run("journalctl --boot --quiet --output cat --grep %s", DENIED).stdout == ""
