"""The cluster's own timers, as its components tell them: what a fact may take is read, not guessed."""

import json
from typing import Any

import durationpy
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.access.api import Api
from kubeproof.spec.wellknown import SYSTEM_NAMESPACE

# https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/ : --secure-port
CONTROLLER_MANAGER = "https://127.0.0.1:10257"
# .../kube-proxy/ : --metrics-bind-address
KUBE_PROXY = "http://127.0.0.1:10249"
KUBELET_RUNTIME_SECONDS = 30  # maxWaitForContainerRuntime in kubelet's source: no setting


def node_monitor_grace(control_plane: Host) -> float:
    """Seconds without a word of a kubelet after which the controller manager calls its node's Ready Unknown."""
    # Any administrator may ask; the port is on loopback, with a certificate of its own.
    command = (
        f"kubectl --kubeconfig /etc/kubernetes/admin.conf --server {CONTROLLER_MANAGER} --insecure-skip-tls-verify"
    )
    told = json.loads(control_plane.check_output(f"{command} get --raw /configz"))
    (settings,) = told.values()
    return _seconds(settings["NodeLifecycleController"]["NodeMonitorGracePeriod"])


def kube_proxy_sync(host: Host) -> float:
    """Seconds between two looks of kube-proxy at whether its rules are still there."""
    (settings,) = json.loads(host.check_output(f"curl --silent --max-time 5 {KUBE_PROXY}/configz")).values()
    return _seconds(settings["iptables"]["syncPeriod"])


def kubelet_restart(host: Host) -> float:
    """Seconds that systemd waits before it starts kubelet again: systemd.service(5)'s RestartSec."""
    told = host.check_output("systemctl show kubelet --property RestartUSec --value")
    return _seconds(told.replace("min", "m").replace(" ", ""))


def runtime_missed(api: Api, node: str) -> float:
    """Seconds without a runtime after which kubelet says that its node is not ready, and the next report of its."""
    told = json.loads(api.raw(f"/api/v1/nodes/{node}/proxy/configz"))
    return KUBELET_RUNTIME_SECONDS + _seconds(told["kubeletconfig"]["nodeStatusUpdateFrequency"])


def readiness(pod: V1Pod) -> tuple[float, float]:
    """Seconds until the pod's first container is ready no more, if it does not answer; and until it is, if it does."""
    probe = pod.spec.containers[0].readiness_probe
    return probe.period_seconds * probe.failure_threshold, probe.period_seconds * probe.success_threshold


def lease(api: Api, component: str) -> float:
    """Seconds after its last word in which nobody else leads in a component's place."""
    return float(api.coordination.read_namespaced_lease(component, SYSTEM_NAMESPACE).spec.lease_duration_seconds)


def _seconds(duration: Any) -> float:
    return float(durationpy.from_str(duration).total_seconds())
