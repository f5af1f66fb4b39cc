"""The provisioning scripts on systems other than the lab's, as far as they run on this machine's files.

The root folder is a copy on write of this machine's, so that the tests can read what the scripts wrote. The scripts,
bash and its utilities are real; a stand-in for each of the machine's own programs records its calls.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

from kubeproof.access import package_manager
from kubeproof.process import paths
from kubeproof.spec import load
from kubeproof.spec.model import System
from selftests.provision import PROVISION
from tests.node import test_clock, test_names, test_network, test_selinux

SPEC = load(paths.DEFAULT_SPEC)
SYSTEMS = SPEC.systems
EL9, DEBIAN12, LAB = SYSTEMS["el9"], SYSTEMS["debian12"], SYSTEMS["lab"]
RECORD_CALL = '#!/bin/sh\necho "$(basename "$0") $*" >> /calls\n'
# The stand-ins, and what each does after it recorded its call. The real swapoff, modprobe and sysctl would change this
# machine's kernel.
STAND_INS = {
    **dict.fromkeys(["dnf", "systemctl", "selinuxenabled", "swapoff", "modprobe", "sysctl"], ""),
    "getenforce": "cat /mode\n",
    "setenforce": "echo Permissive > /mode\n",
    "git": "mkdir -p /root/_Book_k8sInfra\n",
    "kubeadm": "echo registry.k8s.io/pause:3.10.2\n",
    "NetworkManager": "cat /etc/NetworkManager/conf.d/*.conf\n",
}
Run = Callable[..., list[str]]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A root folder with the files of a new Enterprise Linux machine that the scripts use."""
    layer, root = tmp_path / "layer", tmp_path / "root"
    layer.mkdir()
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "layer", layer], check=True)
    (layer / "upper").mkdir()
    (layer / "work").mkdir()
    options = f"lowerdir=/,upperdir={layer}/upper,workdir={layer}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, root], check=True)
    for program, action in STAND_INS.items():
        (root / "stand-ins").mkdir(exist_ok=True)
        (root / "stand-ins" / program).write_text(RECORD_CALL + action)
        (root / "stand-ins" / program).chmod(0o755)
    for folder in ("selinux", "NetworkManager/conf.d", "yum.repos.d", "containerd", "modules-load.d", "sysctl.d"):
        (root / "etc" / folder).mkdir(parents=True, exist_ok=True)
    (root / "etc/selinux/config").write_text("SELINUX=enforcing\nSELINUXTYPE=targeted\n")
    (root / "etc/fstab").write_text("/dev/sda2 none swap defaults 0 0\n")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").symlink_to("/run/NetworkManager/resolv.conf")
    (root / "dev/null").touch()
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp/step.sh").write_bytes((PROVISION / "step.sh").read_bytes())
    (root / "calls").touch()
    (root / "mode").write_text("Enforcing\n")
    yield root
    for mount in (root, layer):
        subprocess.run(["umount", mount], check=True)


@pytest.fixture
def run(root: Path) -> Run:
    """Runs a script in the root folder; returns its calls of the machine's own programs."""

    def provision(script: str, *arguments: str, **environment: str) -> list[str]:
        (root / "tmp" / script).write_bytes((PROVISION / script).read_bytes())
        done = subprocess.run(
            ["chroot", root, "bash", f"/tmp/{script}", *arguments],  # noqa: S108 # Vagrant copies it there
            env={"PATH": f"/stand-ins:{os.environ['PATH']}", "HOME": "/root", **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return (root / "calls").read_text().splitlines()

    return provision


@pytest.fixture
def machine(root: Path) -> Host:
    """testinfra's view of the root folder."""
    return testinfra.get_host(str(root), connection="chroot")


@pytest.fixture
def with_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of `machine` call the stand-ins."""
    monkeypatch.setenv("PATH", f"/stand-ins:{os.environ['PATH']}")


def configured(run: Run) -> list[str]:
    """The calls of config.sh."""
    return run("config.sh", HOSTS="192.168.1.10 m-k8s", NAMESERVERS="1.1.1.1 8.8.8.8")


def installed(run: Run, system: System) -> list[str]:
    """The calls of install_pkg.sh on the control plane."""
    repositories = system.package_repositories.items()
    lines = [f"{name} {repository.key or '-'} {repository.source}" for name, repository in repositories]
    return run(
        "install_pkg.sh",
        *("1.36.3", "Main"),
        PACKAGE_REPOSITORIES="\n".join(lines),
        RUNTIME_PACKAGE=system.runtime_package,
        ADMIN_PACKAGES=" ".join(system.admin_packages),
        ADMIN_SCRIPTS=system.admin_scripts,
    )


def test_selinux_is_made_permissive_now_and_for_the_next_boot(run: Run, root: Path) -> None:
    """config.sh makes SELinux permissive on a machine that enforces."""
    assert "setenforce 0" in configured(run)
    assert (root / "etc/selinux/config").read_text() == "SELINUX=permissive\nSELINUXTYPE=targeted\n"


@pytest.mark.usefixtures("with_stand_ins")
def test_enforcing_selinux_is_detected(run: Run, machine: Host) -> None:
    """The check is red before config.sh, and green after."""
    with pytest.raises(AssertionError):
        test_selinux.test_selinux_is_permissive(machine, SPEC)
    configured(run)
    test_selinux.test_selinux_is_permissive(machine, SPEC)


@pytest.mark.usefixtures("with_stand_ins")
def test_an_unsynchronised_clock_is_detected(root: Path, machine: Host) -> None:
    """The check uses systemd's report about the clock."""
    program = root / "stand-ins/timedatectl"
    program.write_text("#!/bin/sh\necho no\n")
    program.chmod(0o755)
    with pytest.raises(AssertionError):
        test_clock.test_clock_is_synchronised(machine)
    program.write_text("#!/bin/sh\necho yes\n")
    test_clock.test_clock_is_synchronised(machine)


def test_a_cloned_machine_is_detected(root: Path, machine: Host) -> None:
    """The check is red for two machines with the same firmware id."""
    file = root / "sys/class/dmi/id/product_uuid"
    file.parent.mkdir(parents=True)

    def enter(name: str) -> Host:
        file.write_text({"clone": "m-k8s"}.get(name, name))
        return machine

    with pytest.raises(AssertionError):
        test_names.test_product_uuid_is_unique(("m-k8s", "clone"), enter)
    test_names.test_product_uuid_is_unique(("m-k8s", "w1-k8s"), enter)


def test_firewalld_is_stopped_for_good(run: Run) -> None:
    """config.sh stops firewalld now and at the next boot."""
    assert "systemctl disable --quiet --now firewalld" in configured(run)


def test_the_resolver_is_a_regular_file(run: Run, root: Path, machine: Host) -> None:
    """config.sh replaces the link into NetworkManager's folder."""
    with pytest.raises(AssertionError):
        test_network.test_resolver_is_no_link(machine)
    configured(run)
    test_network.test_resolver_is_no_link(machine)
    assert (root / "etc/resolv.conf").read_text() == "nameserver 1.1.1.1\nnameserver 8.8.8.8\n"


@pytest.mark.usefixtures("with_stand_ins")
@pytest.mark.parametrize(
    "check",
    [
        test_network.test_network_manager_leaves_the_resolver_alone,
        test_network.test_network_manager_leaves_calicos_interfaces_alone,
        test_network.test_network_manager_leaves_flannels_interfaces_alone,
    ],
)
def test_network_manager_leaves_the_clusters_files_and_interfaces_alone(
    run: Run, root: Path, machine: Host, check: Callable[[Host], None]
) -> None:
    """NetworkManager reads its new configuration at once: the check is red before config.sh, and green after."""
    (root / "etc/NetworkManager/conf.d/distribution.conf").write_text("[main]\ndns=default\n")
    with pytest.raises(AssertionError):
        check(machine)
    (root / "etc/NetworkManager/conf.d/distribution.conf").unlink()
    assert "systemctl reload NetworkManager" in configured(run)
    check(machine)


def test_a_renewed_lease_does_not_write_the_resolver(run: Run, root: Path, machine: Host) -> None:
    """On machines with dhclient, such as Debian's, the check is red before config.sh, and green after."""
    hooks = root / "etc/dhcp/dhclient-enter-hooks.d"
    hooks.mkdir(parents=True, exist_ok=True)
    (hooks / "debug").write_text("# from the distribution\n")
    with pytest.raises(AssertionError):
        test_network.test_dhcp_leaves_the_resolver_alone(machine)
    configured(run)
    test_network.test_dhcp_leaves_the_resolver_alone(machine)


def test_packages_come_signed_from_the_specs_repositories(run: Run, root: Path, machine: Host) -> None:
    """dnf's configuration lists exactly the spec's repositories, each with its key."""
    installed(run, EL9)
    repositories = EL9.package_repositories
    assert {name: package_manager.source(machine, name) for name in repositories} == {
        name: repository.source for name, repository in repositories.items()
    }
    assert (root / "etc/yum.repos.d/kubernetes.repo").read_text().splitlines()[3:] == [
        "gpgcheck=1",
        f"gpgkey={repositories['kubernetes'].key}",
    ]


def test_the_release_is_installed_whatever_is_held_and_then_held(run: Run) -> None:
    """install_pkg.sh installs exactly the spec's release, then holds it."""
    calls = [call for call in installed(run, EL9) if call.startswith("dnf")]
    quietly = "dnf install --assumeyes --quiet --disableplugin=versionlock"
    assert calls == [
        "dnf makecache --quiet",
        f"{quietly} vim-enhanced git",
        f"{quietly} kubelet-1.36.3 kubeadm-1.36.3 kubectl-1.36.3",
        f"{quietly} python3-dnf-plugin-versionlock",
        "dnf versionlock add kubelet kubeadm kubectl",
        f"{quietly} containerd.io",
    ]


@pytest.mark.usefixtures("with_stand_ins")
def test_held_packages_are_read_as_dnf_lists_them(root: Path, machine: Host) -> None:
    """Without apt-mark, dnf's list is read; without a list, no package is held."""
    (root / "usr/bin/apt-mark").unlink()
    assert package_manager.held(machine) == set()
    (root / "stand-ins/dnf").write_text("#!/bin/sh\necho 'kubelet-0:1.36.3-150500.1.1.*'\necho 'kubeadm-0:1.36.3-*'\n")
    assert package_manager.held(machine) == {"kubelet", "kubeadm"}


def test_provisioning_again_changes_nothing(run: Run, root: Path) -> None:
    """config.sh writes the same files again."""
    written = ("etc/hosts", "etc/fstab", "etc/resolv.conf", "etc/selinux/config", "etc/NetworkManager/conf.d/k8s.conf")
    configured(run)
    once = [(root / file).read_text() for file in written]
    configured(run)
    assert [(root / file).read_text() for file in written] == once


@pytest.fixture
def with_apt(root: Path) -> None:
    """The root folder with apt instead of dnf."""
    (root / "stand-ins/dnf").unlink()
    for program in ("apt-get", "apt-mark", "curl"):
        (root / "stand-ins" / program).write_text(RECORD_CALL)
        (root / "stand-ins" / program).chmod(0o755)


@pytest.mark.usefixtures("with_apt")
def test_apt_trusts_a_repository_by_its_own_key(run: Run, root: Path, machine: Host) -> None:
    """install_pkg.sh fetches the repository's key first, and only that repository uses it."""
    calls = installed(run, DEBIAN12)
    keyring, kubernetes = "/etc/apt/keyrings/kubernetes.asc", DEBIAN12.package_repositories["kubernetes"]
    assert calls[0] == f"curl --fail --silent --show-error --location --output {keyring} {kubernetes.key}"
    entry = (root / "etc/apt/sources.list.d/kubernetes.list").read_text()
    assert entry == f"deb [signed-by={keyring}] {kubernetes.source}\n"
    assert package_manager.source(machine, "kubernetes") == kubernetes.source


@pytest.mark.usefixtures("with_apt")
def test_apt_trusts_the_labs_own_folder(run: Run, root: Path, machine: Host) -> None:
    """install_pkg.sh fetches no key for the lab's folder."""
    assert not any(call.startswith("curl") for call in installed(run, LAB))
    entry = (root / "etc/apt/sources.list.d/kubernetes.list").read_text()
    assert entry == "deb [trusted=yes] file:/srv/kubeproof/packages ./\n"
    assert package_manager.source(machine, "kubernetes") == LAB.package_repositories["kubernetes"].source


@pytest.mark.usefixtures("with_apt")
def test_apt_holds_what_it_installed(run: Run) -> None:
    """install_pkg.sh holds the packages whose exact release it installed."""
    calls = [call.split(maxsplit=1) for call in installed(run, DEBIAN12)]
    assert any(words.endswith("kubelet=1.36.3-* kubeadm=1.36.3-* kubectl=1.36.3-*") for _, words in calls)
    assert ["apt-mark", "hold kubelet kubeadm kubectl"] in calls
