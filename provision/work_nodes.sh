#!/usr/bin/env bash
# Purpose: joins this machine to the cluster as a worker.
#
# API_ADDRESS, NODE_ADDRESS, BOOTSTRAP_TOKEN
# IGNORED_PREFLIGHT   kubeadm's checks that this kind of machine can't pass, separated by commas; may be empty
SCRIPT=work_nodes.sh
# shellcheck source=step.sh
. /tmp/step.sh

step kubeadm-join
install -D -m 600 /dev/null /etc/kubernetes/kubeadm.yaml
cat > /etc/kubernetes/kubeadm.yaml <<EOF
apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery:
  bootstrapToken:
    token: "${BOOTSTRAP_TOKEN:?}"
    apiServerEndpoint: ${API_ADDRESS:?}:6443
    # The book's cluster joins before anyone could have copied the CA's hash.
    unsafeSkipCAVerification: true
nodeRegistration:
  kubeletExtraArgs:
    - name: node-ip
      value: ${NODE_ADDRESS:?}
EOF
if [ ! -f /etc/kubernetes/kubelet.conf ]; then
  kubeadm join --config /etc/kubernetes/kubeadm.yaml --ignore-preflight-errors "${IGNORED_PREFLIGHT}"
fi
