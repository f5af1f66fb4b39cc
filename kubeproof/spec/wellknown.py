"""Facts that every Kubernetes cluster shares: ports, label selectors and namespaces.

Ports: https://kubernetes.io/docs/reference/networking/ports-and-protocols/ and each component's reference.
Labels: the manifests of kubeadm, Calico and Flannel.
The API's own Service: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
"""

API_SERVER_PORT = 6443
KUBELET_PORT = 10250
KUBELET_HEALTH_PORT = 10248
KUBE_PROXY_HEALTH_PORT = 10256
KUBE_PROXY_METRICS_PORT = 10249
CONTROLLER_MANAGER_PORT = 10257
SCHEDULER_PORT = 10259
ETCD_CLIENT_PORT = 2379
FLANNEL_VXLAN_PORT = 8472  # the kernel's default, which Flannel keeps

DEFAULT_NAMESPACE = "default"
SYSTEM_NAMESPACE = "kube-system"
FLANNEL_NAMESPACE = "kube-flannel"  # Flannel's manifest creates it
SYSTEM_NAMESPACES = (SYSTEM_NAMESPACE, FLANNEL_NAMESPACE)

API_SERVICE = "kubernetes"  # in the default namespace
CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"  # the key of kubeadm's label and taint
BOOTSTRAP_TOKENS = "type=bootstrap.kubernetes.io/token"  # a field selector of Secrets

COREDNS_PODS = "k8s-app=kube-dns"
KUBE_PROXY_PODS = "k8s-app=kube-proxy"
CALICO_NODE_PODS = "k8s-app=calico-node"
CALICO_CONTROLLERS_PODS = "k8s-app=calico-kube-controllers"
FLANNEL_PODS = "app=flannel"
COMPONENT_LABEL = "component"  # of a static pod; its value is the component's name
SERVICE_LABEL = "kubernetes.io/service-name"  # of an EndpointSlice
COREDNS_SERVICE = "kube-dns"

# https://kubernetes.io/docs/reference/labels-annotations-taints/
NODE_TAINTS = "node.kubernetes.io/"  # the prefix of the taints that the node controller sets
UNREACHABLE_TAINT = f"{NODE_TAINTS}unreachable"
