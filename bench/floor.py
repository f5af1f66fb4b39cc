"""The floor: the work that no suite of this kind can avoid, each part measured by itself on the kept cluster.

As many empty tests, with the same pytest and workers; one round trip over ssh to each machine that runs all commands of
the checks, the machines side by side; one list of each kind of object from the API; pods that talk on each node, with
all traffic probes of a node at once, the nodes side by side.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kubeproof.access import ssh
from kubeproof.access.api import Api
from kubeproof.experiments.traffic import TALKER_PORT, curl, on_every_node
from kubeproof.spec import Spec, stated
from kubeproof.spec.wellknown import SYSTEM_NAMESPACE

EMPTY = "import pytest\n\n@pytest.mark.parametrize('number', range({count}))\ndef test_nothing(number):\n    pass\n"
LISTS = [
    "/api/v1/nodes",
    "/api/v1/pods",
    "/api/v1/namespaces",
    "/api/v1/services",
    f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/configmaps",
    f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets",
    "/apis/apps/v1/daemonsets",
    "/apis/apps/v1/deployments",
    "/apis/coordination.k8s.io/v1/leases",
    "/apis/discovery.k8s.io/v1/endpointslices",
    "/apis/certificates.k8s.io/v1/certificatesigningrequests",
    "/apis/crd.projectcalico.org/v1/ippools",
    "/apis/crd.projectcalico.org/v1/ipamblocks",
]


def empty_tests(count: int, workers: int) -> None:
    """Run that many empty tests with pytest and xdist alone."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_empty.py").write_text(EMPTY.format(count=count))
        without = ["-p", "no:kubeproof.pytest_plugin", "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), *without, "--rootdir", folder, folder]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)


def one_round_trip(commands: dict[str, list[str]], ssh_config: Path) -> None:
    """Run each machine's commands once, in one ssh session; the machines side by side."""

    def gather(name: str) -> None:
        lines = [f"sh -c {shlex.quote(command)} < /dev/null > /dev/null 2>&1" for command in commands[name]]
        command = ["ssh", "-F", str(ssh_config), name, "sudo sh"]
        subprocess.run(command, input="\n".join(lines), text=True, check=False, capture_output=True)

    with ThreadPoolExecutor(len(commands)) as pool:
        deque(pool.map(gather, commands), maxlen=0)


def api_lists(api: Api) -> None:
    """List each kind of object that the checks read."""
    for path in LISTS:
        api.raw(path)


def traffic(api: Api, spec: Spec, ssh_config: Path) -> None:
    """Start the pods that talk, and run all probes of the checks from each node and its pod at once."""
    with on_every_node(api, stated(spec.traffic_image), [node.name for node in spec.nodes]) as talkers:

        def requests(*ends: str) -> list[str]:
            return [curl(f"http://{end}/hostname") for end in ends]

        def probe(name: str) -> None:
            peers = [node for node in spec.nodes if node.name != name]
            pods = [f"{talkers.pods[peer.name].status.pod_ip}:{TALKER_PORT}" for peer in peers]
            names = [f"dig +short +time=5 {host}" for host in ("kubernetes.default.svc", *spec.machines.outside_names)]
            inside = [*requests(*pods, talkers.own_ips[name]), *names]
            # A separate client: while one uses a web socket, no other thread can use it.
            api.apart().execute(talkers.pods[name], "sh", "-c", "; ".join(inside))
            ports = [f"{peer.address}:{talkers.node_port}" for peer in peers]
            ssh.enter(name, ssh_config).run("; ".join(requests(talkers.cluster_ip, *ports)))

        with ThreadPoolExecutor(len(spec.nodes)) as pool:
            deque(pool.map(probe, talkers.pods), maxlen=0)
