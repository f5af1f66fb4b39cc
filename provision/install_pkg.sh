#!/usr/bin/env bash
# Purpose: installs what a node runs, in exactly the version asked for, and holds it there.
# Usage: install_pkg.sh VERSION [Main]
#
# PACKAGE_REPOSITORY  the apt source of the Kubernetes packages, one line
# RUNTIME_PACKAGE     the container runtime's package
# ADMIN_PACKAGES      names, separated by spaces
# ADMIN_SCRIPTS       a git repository, cloned into root's home on Main
SCRIPT=install_pkg.sh
# shellcheck source=step.sh
. /tmp/step.sh
export DEBIAN_FRONTEND=noninteractive
VERSION=${1:?}

install() { apt-get install --yes --quiet=2 --option Dpkg::Use-Pty=0 --no-install-recommends --allow-change-held-packages "$@"; }

step package-repository
echo "${PACKAGE_REPOSITORY:?}" > /etc/apt/sources.list.d/kubernetes.list
apt-get update --quiet=2

step admin-tools
read -ra admin_packages <<< "${ADMIN_PACKAGES:?}"
install "${admin_packages[@]}"

step kube-packages
install "kubelet=$VERSION-*" "kubeadm=$VERSION-*" "kubectl=$VERSION-*"

step kube-packages-held
apt-mark hold kubelet kubeadm kubectl

step container-runtime
install "${RUNTIME_PACKAGE:?}"
# The pause image is the one that kubeadm pulls, so that the runtime needs no second one; containerd's
# files for this machine alone, if any, come after this one.
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
