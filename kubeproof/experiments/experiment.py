"""An experiment: a fault on one machine, made and proved in, watched, mended on every way out, and proved mended."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kubernetes.client.models import V1Deployment, V1Pod
from testinfra.host import Host

from kubeproof.access.api import Api, is_ready
from kubeproof.access.ssh import second_connection
from kubeproof.experiments import faults
from kubeproof.experiments.settling import at_rest
from kubeproof.experiments.traffic import TALKER_LABEL, deployment, service, talker
from kubeproof.experiments.watching import Watch
from kubeproof.process.waiting import wait_for
from kubeproof.spec import Node, Spec, stated
from kubeproof.spec.wellknown import COMPONENT_LABEL, SERVICE_LABEL

START_SECONDS = 60  # for a pod of an experiment
STOP_SECONDS = 90  # for a static pod: kubelet reads its manifests every 20 s at the latest
# For a container that kubelet restarts, after its longest back-off and its probes:
# https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restarts
RESTART_SECONDS = 360
CRICTL = "crictl --timeout 60s"  # crictl's default of 2 s is too short on a busy machine


@dataclass
class Experiment:
    """A namespace, and the machine on which the fault is made: the claimed worker, or the control plane."""

    api: Api
    spec: Spec
    enter: Callable[[str], Host]
    node: Node
    namespace: str
    watch: Watch
    provider: faults.Provider
    _mendable: list[faults.Fault] = field(init=False, default_factory=list)

    @property
    def host(self) -> Host:
        """The machine on which the fault is made."""
        return self.enter(self.node.name)

    def pod(self, name: str, node: str = "", evicted_after: int | None = None) -> V1Pod:
        """Create a pod on `node`, by default the experiment's, without waiting until it runs.

        The pod stays on an unreachable node for `evicted_after` seconds; by default, as long as the node exists.
        """
        body = talker(name, stated(self.spec.traffic_image), node or self.node.name, evicted_after)
        return self.api.core.create_namespaced_pod(self.namespace, body)

    def unbound(self, name: str) -> V1Pod:
        """Create a pod without a node: the scheduler must find one."""
        return self.api.core.create_namespaced_pod(self.namespace, talker(name, stated(self.spec.traffic_image)))

    def running(self, name: str, node: str = "", evicted_after: int | None = None) -> V1Pod:
        """Create a pod as `pod` does, and return it once it is Ready; raises NotInTime."""
        self.pod(name, node, evicted_after)
        return self.ready(name)

    def ready(self, name: str, within: float = START_SECONDS) -> V1Pod:
        """The pod, once it is Ready; raises NotInTime."""
        return wait_for(f"{name} is Ready", lambda: self.read(name), until=is_ready, within=within)

    def takes_pods(self) -> None:
        """Prove that a new pod on the experiment's machine becomes Ready; raises NotInTime.

        The API's view of a machine can be older than the fault's mending, and does not include the pod network.
        """
        self.running(f"fresh-{uuid.uuid4().hex[:8]}")

    def read(self, name: str) -> V1Pod:
        """The pod, as it is now."""
        return self.api.core.read_namespaced_pod(name, self.namespace)

    def serve(self, pod: V1Pod) -> str:
        """Create a Service over the pod alone, with the pod's name, and return its URL."""
        name = pod.metadata.name
        created = self.api.core.create_namespaced_service(self.namespace, service(name, {TALKER_LABEL: name}))
        return f"http://{created.spec.cluster_ip}/hostname"

    def endpoints(self, name: str) -> list[bool]:
        """For each endpoint of the Service of that name, whether it is ready."""
        selector = f"{SERVICE_LABEL}={name}"
        slices = self.api.discovery.list_namespaced_endpoint_slice(self.namespace, label_selector=selector).items
        return [bool(end.conditions.ready) for part in slices for end in part.endpoints or []]

    def pods(self, name: str) -> list[V1Pod]:
        """The deployment's pods that are not being deleted, the oldest first."""
        pods = self.api.pods(f"{TALKER_LABEL}={name}", namespace=self.namespace)
        staying = (pod for pod in pods if pod.metadata.deletion_timestamp is None)
        return sorted(staying, key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.name))

    def deploy(self, name: str, replicas: int) -> None:
        """Create a deployment, and wait until all its pods are Ready; raises NotInTime."""
        body = deployment(name, stated(self.spec.traffic_image), replicas)
        self.api.apps.create_namespaced_deployment(self.namespace, body)
        self.converged(name, replicas)

    def container(self, name: str) -> str:
        """The runtime's id of the container of that name on the experiment's machine."""
        return str(self.host.check_output(f"{CRICTL} ps --quiet --name '^{name}$'"))

    def another_is_ready(self, selector: str, stopped: str, within: float) -> None:
        """Wait until a system pod of the experiment's machine is Ready with another container than the one `stopped`.

        Until kubelet reports the container's end, the API still shows the pod as Ready. Raises NotInTime.
        """

        def container() -> str:
            (pod,) = self.api.pods(selector, self.node.name)
            return str(pod.status.container_statuses[0].container_id) if is_ready(pod) else ""

        wait_for(
            f"another container of {selector} is Ready",
            container,
            until=lambda now: now != "" and stopped not in now,
            within=within,
        )

    def edit(self, name: str, **changes: Any) -> None:
        """Change the deployment's specification."""
        self.api.apps.patch_namespaced_deployment(name, self.namespace, {"spec": changes})

    def deployment(self, name: str) -> V1Deployment:
        """The deployment, as it is now."""
        return self.api.apps.read_namespaced_deployment(name, self.namespace)

    def converged(self, name: str, replicas: int, within: float = START_SECONDS) -> None:
        """Wait until exactly that many pods exist, all Ready and of the present template; raises NotInTime."""
        wait_for(
            f"{replicas} pods of {name} are Ready, and no other",
            lambda: self.deployment(name).status,
            until=lambda status: (status.replicas, status.ready_replicas, status.updated_replicas) == (replicas,) * 3,
            within=within,
        )

    @contextmanager
    def fault(
        self,
        name: str,
        *,
        make: str,
        mend: str,
        is_in: Callable[[], object],
        is_mended: Callable[[], object],
        node: str = "",
        heals: bool = False,
        halts: bool = False,
    ) -> Iterator[None]:
        """Make the fault, and mend it on every way out; note both in the timeline when they are proved.

        `make` and `mend` are shell commands for the machine of `node`, by default the experiment's. `is_in` and
        `is_mended` wait for the proof and raise if it does not come. `heals`: the cluster mends the fault by itself.
        `halts`: the fault may leave the machine off.
        """
        where = node or self.node.name
        fault = faults.Fault(name=name, node=where, make=make, mend=mend, halts=halts)

        def proved_in() -> None:
            is_in()
            now = self.watch.note(where, name)
            self.watch.fault = self.watch.fault or now
            if heals:
                self.watch.mended = now
            else:
                self._mendable.append(fault)

        def proved_mended() -> None:
            if fault in self._mendable:  # not mended before
                self._mendable.remove(fault)
                self.watch.mended = self.watch.note(where, "mended")
            is_mended()
            self.watch.recovered = self.watch.note(where, "as before")

        began = self.watch.note(where, f"making: {name}")
        self.watch.making = self.watch.making or began
        with faults.injected(fault, self.enter(where), is_in=proved_in, is_mended=proved_mended):
            yield

    def mend(self) -> None:
        """Mend the fault now, for checks of what follows."""
        fault = self._mendable.pop()
        self.enter(fault.node).check_output(fault.mend)
        self.watch.mended = self.watch.note(fault.node, "mended")

    @contextmanager
    def made_good(self, what: str) -> Iterator[None]:
        """Note in the timeline an action that the cluster repairs by itself before the block ends."""
        self.watch.fault = self.watch.mended = self.watch.note(self.node.name, what)
        yield
        self.watch.recovered = self.watch.note(self.node.name, "as before")

    def ask(self, name: str, host: Host, url: str, answer: str) -> None:
        """From now on, GET `url` from the machine once a second; the timeline shows whether `answer` came."""
        connection = second_connection(host)
        self.watch.ask(name, lambda: fetch(connection, url) == answer)

    @contextmanager
    def static_pod_stopped(self, program: str) -> Iterator[None]:
        """A fault: a component of the control plane killed, and kept down by moving its manifest away from kubelet.

        A terminated API server would wait for its clients, for all of kubelet's 30 s of grace.
        """
        manifest, aside = f"/etc/kubernetes/manifests/{program}.yaml", f"/etc/kubernetes/{program}.aside"

        def is_down() -> bool:
            # Until kubelet gives the pod up, a dead process could come back. pidof knows whole names, ps 15 letters.
            its_pod = f"{CRICTL} pods --quiet --state ready --name '^{program}-'"
            return self.host.check_output(its_pod) == "" and not str(self.host.run(f"pidof {program}").stdout).split()

        before = self.container(program)

        def is_mended() -> None:
            self.another_is_ready(f"{COMPONENT_LABEL}={program}", before, within=RESTART_SECONDS)
            at_rest(self.api, *[node.name for node in self.spec.nodes])

        with self.fault(
            f"{program} stopped",
            # kubelet notices the missing manifest, and may end the process first.
            make=f"running=$(pidof {program}); mv {manifest} {aside} && {{ kill -KILL $running || true; }}",
            mend=f"test ! -e {aside} || mv {aside} {manifest}",
            is_in=lambda: wait_for("its process and its pod are gone", is_down, within=STOP_SECONDS),
            is_mended=is_mended,
        ):
            yield


def fetch(host: Host, url: str) -> str:
    """The answer to a GET of `url` from the machine; empty if none comes within 3 s."""
    return str(host.run(f"curl --silent --max-time 3 {url}").stdout)
