"""Packages: exactly the spec's release, held there, and the tools that go with it."""

import json

import pytest
from testinfra.host import Host

from kubeproof.checks import Spec, package_manager

WITH_KUBERNETES = {"kubeadm", "kubectl", "kubelet", "crictl"}


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
    told = json.loads(machine.check_output("kubectl version --client --output json"))
    assert told["clientVersion"]["gitVersion"] == f"v{spec.kubernetes.version}"


@pytest.mark.step("install_pkg.sh", "kube-packages-held")
@pytest.mark.needs("machine.held_packages")
def test_kube_packages_are_held(machine: Host, spec: Spec) -> None:
    """No upgrade of the system moves them."""
    assert set(spec.machine.held_packages) - package_manager.held(machine) == set()


@pytest.mark.step("install_pkg.sh", "package-repositories")
@pytest.mark.needs("machines.package_repositories")
def test_package_repositories_are_the_specs(machine: Host, spec: Spec) -> None:
    """The packages come from where the spec says."""
    repositories = spec.machines.package_repositories
    assert {name: package_manager.source(machine, name) for name in repositories} == {
        name: repository.source for name, repository in repositories.items()
    }


@pytest.mark.step("install_pkg.sh", "admin-tools")
@pytest.mark.needs("machine.programs")
def test_tools_are_there(machine: Host, spec: Spec) -> None:
    """The programs that an administrator expects are on PATH."""
    assert [one for one in spec.machine.programs if one not in WITH_KUBERNETES and not machine.exists(one)] == []


@pytest.mark.step("install_pkg.sh", "kube-packages")
@pytest.mark.needs("machine.programs")
def test_kube_tools_are_there(machine: Host, spec: Spec) -> None:
    """So are those that come with Kubernetes' own packages."""
    assert [one for one in spec.machine.programs if one in WITH_KUBERNETES and not machine.exists(one)] == []
