"""What a machine's package manager, apt or dnf, has been told."""

import configparser
import re

from testinfra.host import Host


def held(host: Host) -> set[str]:
    """The packages that no upgrade of the system moves: apt-mark(8), dnf-versionlock(8)."""
    if host.exists("apt-mark"):
        return set(host.check_output("apt-mark showhold").split())
    # One "NAME-EPOCH:VERSION-RELEASE.ARCHITECTURE" a line.
    return set(re.findall(r"^(\S+)-\d+:\S+$", host.check_output("dnf --quiet versionlock list"), re.MULTILINE))


def installed(host: Host) -> list[str]:
    """Every package, with its version and whether it is whole."""
    if host.exists("dpkg-query"):
        every = "dpkg-query --show --showformat '${Package} ${Version} ${db:Status-Abbrev}\\n'"
    else:
        every = "rpm --query --all | sort"
    return list(host.check_output(every).splitlines())


def source(host: Host, repository: str) -> str:
    """Where the packages of a repository come from, without who signs it; nothing if there is no such repository."""
    apt, dnf = (
        host.file(f"/etc/{path}")
        for path in (f"apt/sources.list.d/{repository}.list", f"yum.repos.d/{repository}.repo")
    )
    if apt.exists:
        return re.sub(r"^deb \[.*?\] ", "", apt.content_string.strip())
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(dnf.content_string if dnf.exists else "")
    return config.get(repository, "baseurl", fallback="")
