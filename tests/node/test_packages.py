"""Packages: Kubernetes' programs are exactly the spec's release and held there, and tools are installed."""

import json

import pytest
from testinfra.host import Host

from kubeproof.checks import Spec, package_manager

KUBERNETES_PROGRAMS = {"kubeadm", "kubectl", "kubelet", "crictl"}


@pytest.mark.step("install_pkg.sh", "kube-packages")
@pytest.mark.needs("components.kubelet", "kubernetes.version")
def test_kubelet_version(machine: Host, spec: Spec) -> None:
    """kubelet is the spec's release."""
    assert machine.check_output("kubelet --version") == f"Kubernetes v{spec.kubernetes.version}"


@pytest.mark.step("install_pkg.sh", "kube-packages")
@pytest.mark.needs("machine.programs.kubeadm", "kubernetes.version")
def test_kubeadm_version(machine: Host, spec: Spec) -> None:
    """kubeadm is the spec's release."""
    assert machine.check_output("kubeadm version --output short") == f"v{spec.kubernetes.version}"


@pytest.mark.step("install_pkg.sh", "kube-packages")
@pytest.mark.needs("machine.programs.kubectl", "kubernetes.version")
def test_kubectl_version(machine: Host, spec: Spec) -> None:
    """kubectl is the spec's release."""
    version = json.loads(machine.check_output("kubectl version --client --output json"))
    assert version["clientVersion"]["gitVersion"] == f"v{spec.kubernetes.version}"


@pytest.mark.step("install_pkg.sh", "kube-packages-held")
@pytest.mark.needs("machine.held_packages")
def test_kube_packages_are_held(machine: Host, spec: Spec) -> None:
    """Kubernetes' packages are held, so that no upgrade of the system changes them."""
    assert set(spec.machine.held_packages) - package_manager.held(machine) == set()


@pytest.mark.step("install_pkg.sh", "package-repositories")
@pytest.mark.needs("machines.package_repositories")
def test_package_repositories_are_the_specs(machine: Host, spec: Spec) -> None:
    """The package repositories are the spec's."""
    repositories = spec.machines.package_repositories
    assert {name: package_manager.source(machine, name) for name in repositories} == {
        name: repository.source for name, repository in repositories.items()
    }


@pytest.mark.step("install_pkg.sh", "admin-tools")
@pytest.mark.needs("machine.programs")
def test_tools_are_there(machine: Host, spec: Spec) -> None:
    """The spec's programs for the administrator are on PATH."""
    programs = [program for program in spec.machine.programs if program not in KUBERNETES_PROGRAMS]
    assert [program for program in programs if not machine.exists(program)] == []


@pytest.mark.step("install_pkg.sh", "kube-packages")
@pytest.mark.needs("machine.programs")
def test_kube_tools_are_there(machine: Host, spec: Spec) -> None:
    """The spec's programs from Kubernetes' own packages are on PATH."""
    programs = [program for program in spec.machine.programs if program in KUBERNETES_PROGRAMS]
    assert [program for program in programs if not machine.exists(program)] == []
