"""Facts that every Kubernetes cluster shares: ports, label selectors and namespaces.

Ports: https://kubernetes.io/docs/reference/networking/ports-and-protocols/ and each component's reference.
Labels: the manifests of kubeadm, Calico and Flannel.
"""

API_SERVER_PORT = 6443
KUBELET_PORT = 10250
KUBELET_HEALTH_PORT = 10248
KUBE_PROXY_HEALTH_PORT = 10256
KUBE_PROXY_METRICS_PORT = 10249
CONTROLLER_MANAGER_PORT = 10257
SCHEDULER_PORT = 10259
ETCD_CLIENT_PORT = 2379

SYSTEM_NAMESPACE = "kube-system"
SYSTEM_NAMESPACES = (SYSTEM_NAMESPACE, "kube-flannel")  # Flannel's manifest makes a namespace of its own

COREDNS_PODS = "k8s-app=kube-dns"
KUBE_PROXY_PODS = "k8s-app=kube-proxy"
CALICO_NODE_PODS = "k8s-app=calico-node"
CALICO_CONTROLLERS_PODS = "k8s-app=calico-kube-controllers"
FLANNEL_PODS = "app=flannel"
