"""The state of a machine's package manager, apt or dnf."""

import configparser
import re

from testinfra.host import Host


def held(host: Host) -> set[str]:
    """The packages that a system upgrade skips: apt-mark(8), dnf-versionlock(8)."""
    if host.exists("apt-mark"):
        return set(host.check_output("apt-mark showhold").split())
    # One "NAME-EPOCH:VERSION-RELEASE.ARCHITECTURE" a line.
    return set(re.findall(r"^(\S+)-\d+:\S+$", host.check_output("dnf --quiet versionlock list"), re.MULTILINE))


def installed(host: Host) -> list[str]:
    """One line for each package: its version and, on Debian, the state of its installation."""
    dpkg = "dpkg-query --show --showformat '${Package} ${Version} ${db:Status-Abbrev}\\n'"
    query = dpkg if host.exists("dpkg-query") else "rpm --query --all | sort"
    return list(host.check_output(query).splitlines())


def source(host: Host, repository: str) -> str:
    """The URL and path of a package repository, without its signing key; empty if the repository is not configured."""
    apt = host.file(f"/etc/apt/sources.list.d/{repository}.list")
    dnf = host.file(f"/etc/yum.repos.d/{repository}.repo")
    if apt.exists:
        return re.sub(r"^deb \[.*?\] ", "", apt.content_string.strip())
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(dnf.content_string if dnf.exists else "")
    return config.get(repository, "baseurl", fallback="")
