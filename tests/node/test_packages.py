"""Packages: exactly the spec's release, held there, and the tools that go with it."""

import pytest
from testinfra.host import Host

from kubeproof.spec import Spec


@pytest.mark.step("install_pkg.sh", "kube-packages")
def test_kubelet_version(machine: Host, spec: Spec) -> None:
    """kubelet is the spec's release."""
    assert machine.check_output("kubelet --version") == f"Kubernetes v{spec.kubernetes.version}"


@pytest.mark.step("install_pkg.sh", "kube-packages")
def test_kubeadm_version(machine: Host, spec: Spec) -> None:
    """kubeadm is the spec's release."""
    assert machine.check_output("kubeadm version --output short") == f"v{spec.kubernetes.version}"


@pytest.mark.step("install_pkg.sh", "kube-packages")
def test_kubectl_version(machine: Host, spec: Spec) -> None:
    """kubectl is the spec's release."""
    assert f"Client Version: v{spec.kubernetes.version}" in machine.check_output("kubectl version --client")


@pytest.mark.step("install_pkg.sh", "kube-packages-held")
def test_kube_packages_are_held(machine: Host, spec: Spec) -> None:
    """No upgrade of the system moves them."""
    held = machine.check_output("apt-mark showhold").split()
    assert set(spec.machine.held_packages) - set(held) == set()


@pytest.mark.step("install_pkg.sh", "package-repository")
def test_package_repository_is_the_specs(machine: Host, spec: Spec) -> None:
    """The Kubernetes packages come from the spec's repository."""
    assert machine.file("/etc/apt/sources.list.d/kubernetes.list").content_string.strip() == (
        spec.machines.package_repository
    )


@pytest.mark.step("install_pkg.sh", "admin-tools")
def test_tools_are_there(machine: Host, spec: Spec) -> None:
    """The programs that an administrator expects are on PATH."""
    assert [program for program in spec.machine.programs if not machine.exists(program)] == []
