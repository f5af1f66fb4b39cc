#!/usr/bin/env bash
# Purpose: installs a node's packages, and holds those of Kubernetes at exactly the given version.
# Usage: install_pkg.sh VERSION [Main]
#
# PACKAGE_REPOSITORIES  lines "NAME KEY SOURCE": KEY is the URL of the signing key, or - for a trusted folder;
#                       SOURCE is apt's "ADDRESS SUITE [COMPONENT ...]", or dnf's base address
# RUNTIME_PACKAGE       the container runtime's package
# ADMIN_PACKAGES        names, separated by spaces
# ADMIN_SCRIPTS         a git repository, cloned into root's home on Main
SCRIPT=install_pkg.sh
# shellcheck source=step.sh
. /tmp/step.sh
VERSION=${1:?}

if command -v dnf > /dev/null; then
  add_repository() { # NAME KEY SOURCE
    cat > "/etc/yum.repos.d/$1.repo" <<EOF
[$1]
name=$1
baseurl=$3
gpgcheck=1
gpgkey=$2
EOF
  }
  refresh() { dnf makecache --quiet; }
  # A version that is asked for here is meant, whatever is held.
  install_packages() { dnf install --assumeyes --quiet --disableplugin=versionlock "$@"; }
  install_release() { install_packages "${@/%/-$VERSION}"; }
  hold() {
    install_packages python3-dnf-plugin-versionlock
    dnf versionlock add "$@"
  }
else
  export DEBIAN_FRONTEND=noninteractive
  add_repository() { # NAME KEY SOURCE
    local trust=trusted=yes
    if [ "$2" != - ]; then
      trust=signed-by=/etc/apt/keyrings/$1.asc
      mkdir -p /etc/apt/keyrings
      curl --fail --silent --show-error --location --output "/etc/apt/keyrings/$1.asc" "$2"
    fi
    echo "deb [$trust] $3" > "/etc/apt/sources.list.d/$1.list"
  }
  refresh() { apt-get update --quiet=2; }
  install_packages() {
    apt-get install --yes --quiet=2 --option Dpkg::Use-Pty=0 --option DPkg::Lock::Timeout=300 \
      --no-install-recommends --allow-change-held-packages "$@"
  }
  install_release() { install_packages "${@/%/=$VERSION-*}"; }
  hold() { apt-mark hold "$@"; }
  # A fresh machine may lack curl, which fetches the repositories' keys.
  command -v curl > /dev/null || { refresh && install_packages ca-certificates curl; }
fi

step package-repositories
while read -r name key source; do add_repository "$name" "$key" "$source"; done <<< "${PACKAGE_REPOSITORIES:?}"
refresh

step admin-tools
read -ra admin_packages <<< "${ADMIN_PACKAGES:?}"
install_packages "${admin_packages[@]}"

step kube-packages
install_release kubelet kubeadm kubectl

step kube-packages-held
hold kubelet kubeadm kubectl

step container-runtime
install_packages "${RUNTIME_PACKAGE:?}"
# With kubeadm's pause image, the runtime needs no second one. The imported files, which only this machine may have,
# override this one.
pause=$(kubeadm config images list --kubernetes-version "$VERSION" | grep /pause:)
cat > /etc/containerd/config.toml <<EOF
version = 3
imports = ["/etc/containerd/conf.d/*.toml"]

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "$pause"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
SystemdCgroup = true
EOF
systemctl enable --quiet containerd
systemctl restart containerd

step kubelet-enabled
systemctl enable --quiet --now kubelet

if [ "${2:-}" = Main ]; then
  step admin-scripts
  book=$HOME/_Book_k8sInfra
  [ -d "$book" ] || git clone --quiet "${ADMIN_SCRIPTS:?}" "$book"
  find "$book" -name '*.sh' -exec chmod 700 {} +
fi
