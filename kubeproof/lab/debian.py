"""The lab's Debian systems: one for the box, and one for the images that need more than a static program."""

import shlex
from pathlib import Path

from kubeproof.lab.cache import Component
from kubeproof.lab.registries import ASK_SECONDS, Registry, taken_from
from kubeproof.process.commands import alone, run

SUITE = "bookworm"

MACHINE_PACKAGES = [
    *["systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "procps", "kmod", "less"],
    *["iproute2", "iputils-ping", "iptables", "nftables", "conntrack", "ipset", "socat", "ethtool", "curl"],
    # Dependencies of the packages that provisioning installs, so that it takes less time.
    *["runc", "ca-certificates", "libcurl3-gnutls", "perl", "liberror-perl", "libgpm2", "libsodium23"],
]
TOOLS_PACKAGES = [
    *["iptables", "nftables", "ipset", "conntrack", "iproute2", "kmod", "procps", "runit", "ca-certificates"],
    *["bind9-dnsutils", "curl", "netcat-openbsd", "iperf", "iputils-ping"],
]

# As after Debian's installer: swap in fstab, SELinux enforcing, no machine id, host keys or repository yet.
AS_IT_COMES = r"""
printf '# <file system> <mount point> <type> <options> <dump> <pass>\n/dev/sda2 none swap sw 0 0\n' > etc/fstab
mkdir -p etc/selinux
printf 'SELINUX=enforcing\nSELINUXTYPE=targeted\n' > etc/selinux/config
: > etc/machine-id
rm -f etc/ssh/ssh_host_* var/lib/dbus/machine-id etc/hosts etc/hostname etc/resolv.conf
: > etc/hosts
: > etc/hostname
: > etc/resolv.conf
: > etc/apt/sources.list
rm -rf etc/cni var/cache/apt/archives/*.deb var/lib/apt/lists/* var/log/*.log var/log/apt
rm -rf usr/share/doc/* usr/share/man/*
echo force-unsafe-io > etc/dpkg/dpkg.cfg.d/unsafe-io
mkdir -p var/log/journal
"""
VAGRANT_USER = r"""
useradd --create-home --shell /bin/bash vagrant
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/vagrant
chmod 440 /etc/sudoers.d/vagrant
echo 'UseDNS no' > /etc/ssh/sshd_config.d/vagrant.conf
systemctl set-default --quiet multi-user.target
systemctl mask --quiet systemd-udevd.service systemd-udev-trigger.service systemd-udevd-kernel.socket \
  systemd-udevd-control.socket getty@tty1.service console-getty.service systemd-networkd-wait-online.service \
  systemd-remount-fs.service systemd-logind.service apt-daily.timer apt-daily-upgrade.timer
systemctl enable --quiet ssh
"""


def machine(admin_packages: tuple[str, ...]) -> Component:
    """The box's system in root.tar, and in packages/ the .deb files that an install of `admin_packages` on it needs."""

    def build(folder: Path) -> None:
        (folder / "packages").mkdir()
        install = "apt-get install --yes --download-only --no-install-recommends"
        hooks = [
            f'chroot "$1" {install} {" ".join(admin_packages)}',
            f'cp "$1"/var/cache/apt/archives/*.deb {shlex.quote(str(folder / "packages"))}',
            f'chroot "$1" sh -euc {shlex.quote(VAGRANT_USER)}',
            f'cd "$1"{AS_IT_COMES}',
        ]
        _make_root(folder / "root.tar", MACHINE_PACKAGES, hooks)

    return Component("machine-root", (SUITE, *MACHINE_PACKAGES, *admin_packages), build)


def tools() -> Component:
    """The system under kube-proxy, calico-node and agnhost, in root.tar."""

    def build(folder: Path) -> None:
        trim = 'rm -rf "$1"/usr/share/doc/* "$1"/usr/share/man/* "$1"/usr/share/locale/* "$1"/var/lib/apt/lists/*'
        _make_root(folder / "root.tar", TOOLS_PACKAGES, [trim])

    return Component("tools-root", (SUITE, *TOOLS_PACKAGES), build)


def _make_root(archive: Path, packages: list[str], hooks: list[str]) -> None:
    scratch = archive.parent / "scratch"
    scratch.mkdir()
    command = alone(
        "mmdebstrap",  # without --quiet, which would drop the reason of a failure
        "--mode=root",
        "--variant=minbase",
        f"--include={','.join(packages)}",
        *[f"--customize-hook={hook}" for hook in hooks],
        SUITE,
        archive,
    )
    with taken_from(ARCHIVE, f"{packages[0]}, {packages[1]} and {len(packages) - 2} more packages"):
        run(*command, env={"TMPDIR": str(scratch)}, fills=scratch)  # on a full disk, apt-get waits endlessly
    scratch.rmdir()


def _ask_archive() -> None:
    impatient = ['Acquire::Retries "0"', f'Acquire::http::Timeout "{ASK_SECONDS // 3}"']
    options = [f"--aptopt={option}" for option in impatient]
    run("mmdebstrap", "--simulate", "--variant=custom", *options, SUITE, "/dev/null", timeout=ASK_SECONDS)


ARCHIVE = Registry("Debian's archive", _ask_archive)
