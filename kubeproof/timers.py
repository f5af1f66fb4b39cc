"""The cluster's own timers, as its components tell them: what a fact may take is read, not guessed."""

from __future__ import annotations

import json
from typing import Any

import durationpy
from testinfra.host import Host

# https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/ : --secure-port
CONTROLLER_MANAGER = "https://127.0.0.1:10257"
# .../kube-proxy/ : --metrics-bind-address
KUBE_PROXY = "http://127.0.0.1:10249"


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


def _seconds(duration: Any) -> float:
    return float(durationpy.from_str(duration).total_seconds())
