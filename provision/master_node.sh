#!/usr/bin/env bash
# Purpose: makes this machine the cluster's control plane and gives the cluster its pod network.
#
# NODE_ADDRESS, BOOTSTRAP_TOKEN, BOOTSTRAP_TOKEN_TTL, KUBERNETES_VERSION, POD_NETWORK, SERVICE_NETWORK, DNS_DOMAIN
# CALICO_MANIFEST         a file or an address
# CALICO_ENCAPSULATION    CrossSubnet, Always or Never: when pod traffic is wrapped in VXLAN
# IGNORED_PREFLIGHT       kubeadm's checks that this kind of machine can't pass, separated by commas; may be empty
# KUBEADM_OVERRIDES       further kubeadm documents, for this kind of machine; may be empty
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

step calico
mkdir -p /etc/kubernetes/calico
case ${CALICO_MANIFEST:?} in
  https://*) curl --fail --silent --show-error --location "$CALICO_MANIFEST" --output /etc/kubernetes/calico/calico.yaml ;;
  *) cp "$CALICO_MANIFEST" /etc/kubernetes/calico/calico.yaml ;;
esac
cat > /etc/kubernetes/calico/kustomization.yaml <<EOF
resources: [calico.yaml]
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
                  - {name: CALICO_IPV4POOL_VXLAN, value: ${CALICO_ENCAPSULATION:?}}
                  - {name: IP_AUTODETECTION_METHOD, value: kubernetes-internal-ip}
EOF
kubectl --kubeconfig "$HOME/.kube/config" apply --kustomize /etc/kubernetes/calico
