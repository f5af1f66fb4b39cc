"""The floor: what no suite of this kind can do without, each part measured by itself on the cluster that is up.

The same number of empty tests under the same pytest with the same workers; one round trip over ssh to each machine that
gathers all that the checks look at, the machines side by side; one list of each kind of object from the API; pods that
talk, on each node, and every probe of the traffic in one go on each node, the nodes side by side.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kubeproof.access import machine
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
    """As many tests that do nothing, as pytest alone runs them."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_empty.py").write_text(EMPTY.format(count=count))
        without = ["-p", "no:kubeproof.pytest_plugin", "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), *without, "--rootdir", folder, folder]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)


def one_round_trip(commands: dict[str, list[str]], ssh_config: Path) -> None:
    """Run on each machine what the checks run there, each command once: over ssh, the machines side by side."""

    def gather(name: str) -> None:
        script = "\n".join(f"sh -c {shlex.quote(one)} < /dev/null > /dev/null 2>&1" for one in commands[name])
        command = ["ssh", "-F", str(ssh_config), name, "sudo sh"]
        subprocess.run(command, input=script, text=True, check=False, capture_output=True)

    with ThreadPoolExecutor(len(commands)) as pool:
        deque(pool.map(gather, commands), maxlen=0)


def api_lists(api: Api) -> None:
    """One list of each kind that the checks read."""
    for path in LISTS:
        api.raw(path)


def traffic(api: Api, spec: Spec, ssh_config: Path) -> None:
    """Start the pods that talk, and let each node and its pod ask all that the checks have them ask, in one go."""
    with on_every_node(api, stated(spec.traffic_image), [one.name for one in spec.nodes]) as talkers:

        def ask(*ends: str) -> list[str]:
            return [curl(f"http://{end}/hostname") for end in ends]

        def probe(name: str) -> None:
            others = [one for one in spec.nodes if one.name != name]
            pods = [f"{talkers.pods[one.name].status.pod_ip}:{TALKER_PORT}" for one in others]
            names = [f"dig +short +time=5 {one}" for one in ("kubernetes.default.svc", *spec.machines.outside_names)]
            inside = [*ask(*pods, talkers.own_ips[name]), *names]
            # A client of its own: while one talks through a web socket, no other thread may ask it.
            api.apart().execute(talkers.pods[name], "sh", "-c", "; ".join(inside))
            ports = [f"{one.address}:{talkers.node_port}" for one in others]
            machine.enter(name, ssh_config).run("; ".join(ask(talkers.cluster_ip, *ports)))

        with ThreadPoolExecutor(len(spec.nodes)) as pool:
            deque(pool.map(probe, talkers.pods), maxlen=0)
