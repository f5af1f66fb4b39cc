"""The cluster's own timers, read from its components, so that the deadlines of checks are not guessed."""

import json
from typing import Any

import durationpy
from kubernetes.client.models import V1Pod
from testinfra.host import Host

from kubeproof.access.api import Api
from kubeproof.spec.wellknown import CONTROLLER_MANAGER_PORT, KUBE_PROXY_METRICS_PORT, SYSTEM_NAMESPACE

KUBELET_RUNTIME_SECONDS = 30  # maxWaitForContainerRuntime in kubelet's source: no setting


def node_monitor_grace(control_plane: Host) -> float:
    """Seconds without news from a kubelet after which the controller manager sets its node's Ready to Unknown."""
    # Any administrator may read it. The port is on loopback and has a self-signed certificate.
    config = control_plane.check_output(
        "kubectl --kubeconfig /etc/kubernetes/admin.conf --insecure-skip-tls-verify "
        f"--server https://127.0.0.1:{CONTROLLER_MANAGER_PORT} get --raw /configz"
    )
    (settings,) = json.loads(config).values()
    return _seconds(settings["NodeLifecycleController"]["NodeMonitorGracePeriod"])


def kube_proxy_sync(host: Host) -> float:
    """Seconds between two checks of kube-proxy that its iptables rules still exist."""
    url = f"http://127.0.0.1:{KUBE_PROXY_METRICS_PORT}/configz"
    (settings,) = json.loads(host.check_output(f"curl --silent --max-time 5 {url}")).values()
    return _seconds(settings["iptables"]["syncPeriod"])


def kubelet_restart(host: Host) -> float:
    """Seconds that systemd waits before it restarts kubelet: systemd.service(5)'s RestartSec."""
    pause = host.check_output("systemctl show kubelet --property RestartUSec --value")
    return _seconds(pause.replace("min", "m").replace(" ", ""))


def runtime_missed(api: Api, node: str) -> float:
    """Seconds without a runtime until kubelet notices and its next status report says that the node is not ready."""
    config = json.loads(api.raw(f"/api/v1/nodes/{node}/proxy/configz"))
    return KUBELET_RUNTIME_SECONDS + _seconds(config["kubeletconfig"]["nodeStatusUpdateFrequency"])


def readiness(pod: V1Pod) -> tuple[float, float]:
    """Seconds until the pod's first container is unready after it falls silent, and ready after it answers again."""
    probe = pod.spec.containers[0].readiness_probe
    return probe.period_seconds * probe.failure_threshold, probe.period_seconds * probe.success_threshold


def lease(api: Api, component: str) -> float:
    """Seconds after a component's last renewal in which no other instance becomes the leader."""
    return float(api.coordination.read_namespaced_lease(component, SYSTEM_NAMESPACE).spec.lease_duration_seconds)


def _seconds(duration: Any) -> float:
    return float(durationpy.from_str(duration).total_seconds())
