#!/usr/bin/env bash
# Purpose: makes this machine the cluster's control plane and gives the cluster its pod network.
#
# NODE_ADDRESS, BOOTSTRAP_TOKEN, BOOTSTRAP_TOKEN_TTL, KUBERNETES_VERSION, POD_NETWORK, SERVICE_NETWORK, DNS_DOMAIN
# NETWORK_PLUGIN          calico or flannel
# NETWORK_MANIFEST        its manifest, a file or an address
# NETWORK_MODE            how pod traffic travels between machines: Calico's encapsulation (CrossSubnet, Always or
#                         Never), or Flannel's backend (vxlan or host-gw)
# IGNORED_PREFLIGHT       kubeadm's checks that this kind of machine can't pass, separated by commas; may be empty
# KUBEADM_OVERRIDES       more kubeadm documents, for this kind of machine; may be empty
SCRIPT=master_node.sh
# shellcheck source=step.sh
. /tmp/step.sh

step kubeadm-init
install -D -m 600 /dev/null /etc/kubernetes/kubeadm.yaml
cat > /etc/kubernetes/kubeadm.yaml <<EOF
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens:
  - token: "${BOOTSTRAP_TOKEN:?}"
    ttl: "${BOOTSTRAP_TOKEN_TTL:?}"
localAPIEndpoint:
  advertiseAddress: ${NODE_ADDRESS:?}
nodeRegistration:
  kubeletExtraArgs:
    - name: node-ip
      value: ${NODE_ADDRESS}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v${KUBERNETES_VERSION:?}
networking:
  podSubnet: ${POD_NETWORK:?}
  serviceSubnet: ${SERVICE_NETWORK:?}
  dnsDomain: ${DNS_DOMAIN:?}
${KUBEADM_OVERRIDES:+---
$KUBEADM_OVERRIDES}
EOF
if [ ! -f /etc/kubernetes/admin.conf ]; then
  kubeadm init --config /etc/kubernetes/kubeadm.yaml --ignore-preflight-errors "${IGNORED_PREFLIGHT}"
fi

step kubeconfig
install -D -m 600 /etc/kubernetes/admin.conf "$HOME/.kube/config"

step pod-network
network=/etc/kubernetes/network
mkdir -p $network
case ${NETWORK_MANIFEST:?} in
  https://*) curl --fail --silent --show-error --location "$NETWORK_MANIFEST" --output $network/manifest.yaml ;;
  *) cp "$NETWORK_MANIFEST" $network/manifest.yaml ;;
esac
# Both plugins need the address by which machines reach each other: by default, Flannel takes the NAT interface's.
case ${NETWORK_PLUGIN:?} in
  calico) cat > $network/kustomization.yaml <<EOF ;;
resources: [manifest.yaml]
patches:
  - patch: |
      apiVersion: apps/v1
      kind: DaemonSet
      metadata: {name: calico-node, namespace: kube-system}
      spec:
        template:
          spec:
            containers:
              - name: calico-node
                env:
                  - {name: CALICO_IPV4POOL_CIDR, value: ${POD_NETWORK}}
                  - {name: CALICO_IPV4POOL_VXLAN, value: ${NETWORK_MODE:?}}
                  - {name: IP_AUTODETECTION_METHOD, value: kubernetes-internal-ip}
EOF
  flannel) cat > $network/kustomization.yaml <<EOF ;;
resources: [manifest.yaml]
patches:
  - patch: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: kube-flannel-cfg, namespace: kube-flannel}
      data:
        net-conf.json: '{"Network": "${POD_NETWORK}", "Backend": {"Type": "${NETWORK_MODE:?}"}}'
  - patch: |
      apiVersion: apps/v1
      kind: DaemonSet
      metadata: {name: kube-flannel-ds, namespace: kube-flannel}
      spec:
        template:
          spec:
            containers:
              - name: kube-flannel
                env:
                  - {name: FLANNELD_IFACE, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
EOF
esac
kubectl --kubeconfig "$HOME/.kube/config" apply --kustomize $network
