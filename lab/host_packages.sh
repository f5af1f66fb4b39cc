#!/usr/bin/env bash
# Purpose: installs the Debian packages that the lab needs on its host, those that are missing, and starts nothing.
set -euo pipefail

declare -A package_of=(
  [vagrant]=vagrant [dockerd]=docker.io [mmdebstrap]=mmdebstrap [apt-ftparchive]=apt-utils [gcc]=gcc
  [shellcheck]=shellcheck [ip]=iproute2 [nsenter]=util-linux [ssh]=openssh-client [git]=git [sysctl]=procps
)
missing=()
for program in "${!package_of[@]}"; do
  command -v "$program" > /dev/null || missing+=("${package_of[$program]}")
done
python3 -c 'import ensurepip, venv' 2> /dev/null || missing+=(python3-venv)
[ -e /usr/include/stdlib.h ] || missing+=(libc6-dev)
# The self-tests validate the Vagrantfile for libvirt, too.
[ -e /usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json ] || missing+=(vagrant-libvirt)
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
[ "${#missing[@]}" -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then as_root=(sudo); fi
echo "installing on this machine: ${missing[*]}"
# Docker's package would start a daemon of the system's; the lab has one of its own. dpkg asks this file.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" > /dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi
"${as_root[@]}" apt-get update --quiet=2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends --no-remove \
  "${missing[@]}" > /dev/null
