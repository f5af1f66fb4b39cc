#!/usr/bin/env bash
# Purpose: installs the missing Debian packages that the lab needs on its host, and starts no service.
# `host_packages.sh for-tests` also installs the packages that only the project's own tests need.
# A program that is installed already is used, whatever package it is from (such as docker-ce); no package is removed.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
lists=("$here/host_packages.txt")
if [ "${1:-}" = for-tests ]; then lists+=("$here/test_packages.txt"); fi
missing=()
# Debian puts these folders on root's PATH alone.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
while read -r needed package _; do
  case $needed in
    '#'* | '') ;;
    /*) [ -e "$needed" ] || missing+=("$package") ;;
    *) command -v "$needed" > /dev/null || missing+=("$package") ;;
  esac
done < <(cat "${lists[@]}")
python3 -c 'import ensurepip, venv' 2> /dev/null || missing+=(python3-venv)
[ "${#missing[@]}" -gt 0 ] || exit 0
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

give_up() {
  printf 'kubeproof needs on this machine: %s\n%s\n' "${missing[*]}" "$1" >&2
  exit 1
}

command -v apt-get > /dev/null || give_up "There is no apt-get to install them with: install what those Debian packages \
bring by this machine's own means. \`kubeproof doctor\` names each program."
as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo > /dev/null || give_up "Only root may install them, and there is no sudo: as root, run
  apt-get install --no-install-recommends --no-remove ${missing[*]}"
  as_root=(sudo)
fi

echo "installing on this machine: ${missing[*]}"
"${as_root[@]}" apt-get update --quiet=2 || echo "apt-get update failed; going on with the lists that are there" >&2
install=(apt-get install --yes --quiet=2 --no-install-recommends --no-remove "${missing[@]}")
said=$("${install[@]}" --simulate 2>&1) || give_up "apt-get can't install them as things are:
$said
If packages conflict (docker.io with docker-ce, containerd with containerd.io), install by hand the one of the family
that is there; nothing was changed. If it can't find or fetch them, see to apt's sources and the network."

# Docker's package would start a system daemon, and the lab has its own. Packages ask this file for permission.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" > /dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" > /dev/null || give_up \
  "apt-get failed, as it says above. See to that, then run it again."
