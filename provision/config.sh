#!/usr/bin/env bash
# Purpose: prepares a fresh machine to become a node, before any package is installed.
#
# HOSTS        lines "ADDRESS NAME", one for each node of the cluster
# NAMESERVERS  addresses, separated by spaces
SCRIPT=config.sh
# shellcheck source=step.sh
. /tmp/step.sh

step vi-alias
grep -qxF 'alias vi=vim' /etc/profile || echo 'alias vi=vim' >> /etc/profile

step swap-stays-off
sed -i -E 's/^([^#]+[[:space:]]swap[[:space:]].*)$/#\1/' /etc/fstab

step swap-off
swapoff -a

step selinux-permissive
if [ -e /etc/selinux/config ]; then
  if selinuxenabled; then setenforce 0; fi
  sed -i 's/^SELINUX=enforcing$/SELINUX=permissive/' /etc/selinux/config
fi

step firewall-off
# Its rules may undo the pod network's: https://docs.tigera.io/calico/latest/getting-started/kubernetes/requirements
if systemctl cat firewalld.service &> /dev/null; then systemctl disable --quiet --now firewalld; fi

step network-manager
# By default it manages Calico's interfaces (same page) and Flannel's, and rewrites /etc/resolv.conf.
if [ -d /etc/NetworkManager/conf.d ]; then
  cat > /etc/NetworkManager/conf.d/k8s.conf <<'EOF'
[main]
dns=none

[keyfile]
unmanaged-devices=interface-name:cali*;interface-name:tunl*;interface-name:vxlan.calico;interface-name:flannel*;interface-name:cni0;interface-name:veth*
EOF
  systemctl reload NetworkManager
fi

step kernel-modules
printf '%s\n' br_netfilter overlay > /etc/modules-load.d/k8s.conf
modprobe --all br_netfilter overlay

step sysctls
cat > /etc/sysctl.d/k8s.conf <<'EOF'
net.bridge.bridge-nf-call-iptables = 1
net.bridge.bridge-nf-call-ip6tables = 1
net.ipv4.ip_forward = 1
EOF
sysctl --quiet --load=/etc/sysctl.d/k8s.conf

step hosts
# If a machine's own name meant loopback, kubelet and etcd would take that for the machine's address.
sed -i "/^127\.0\.1\.1[[:space:]]/d" /etc/hosts
while read -r line; do
  grep -qxF "$line" /etc/hosts || echo "$line" >> /etc/hosts
done <<< "${HOSTS:?}"

step resolver
# A renewed lease must not restore the provider's nameservers, and a link must not redirect the write to another file.
hooks=/etc/dhcp/dhclient-enter-hooks.d
if [ -d $hooks ]; then echo 'make_resolv_conf() { :; }' > $hooks/k8s; fi
rm -f /etc/resolv.conf
read -ra nameservers <<< "${NAMESERVERS:?}"
printf 'nameserver %s\n' "${nameservers[@]}" > /etc/resolv.conf
