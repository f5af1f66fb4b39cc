"""An experiment: a fault on one machine, made and proved, watched, mended on every way out, and proved mended."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kubernetes.client.models import V1Deployment, V1Pod
from testinfra.host import Host

from kubeproof.access.api import Api, is_ready
from kubeproof.access.machine import second_connection
from kubeproof.experiments import faults
from kubeproof.experiments.settling import at_rest
from kubeproof.experiments.traffic import TALKER_LABEL, TALKER_PORT, deployment, service, talker
from kubeproof.experiments.watching import Watch
from kubeproof.process.waiting import wait_for
from kubeproof.spec import Node, Spec, stated

START_SECONDS = 60  # for a pod that is there to be watched
STOP_SECONDS = 90  # for a static pod: kubelet looks at its manifests every 20 s at the latest
# For a container that kubelet starts again, after its longest back-off and its probes:
# https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restarts
RESTART_SECONDS = 360
# crictl's own 2 s are not enough on a busy machine.
CRICTL = "crictl --timeout 60s"


@dataclass
class Experiment:
    """A namespace of its own, and the machine on which the fault goes in: the claimed worker, or the control plane."""

    api: Api
    spec: Spec
    enter: Callable[[str], Host]
    node: Node
    namespace: str
    watch: Watch
    provider: faults.Provider
    _in: list[faults.Fault] = field(init=False, default_factory=list)

    @property
    def host(self) -> Host:
        """The machine on which the fault goes in."""
        return self.enter(self.node.name)

    def pod(self, name: str, node: str = "", evicted_after: int | None = None) -> V1Pod:
        """Create a pod on a node, the experiment's own if none is named; it need not come to run.

        `evicted_after` is how many seconds it bears a node that is not there; without it, for ever.
        """
        return self.api.core.create_namespaced_pod(
            self.namespace, talker(name, stated(self.spec.traffic_image), node or self.node.name, evicted_after)
        )

    def unbound(self, name: str) -> V1Pod:
        """Create a pod for which the scheduler is to find a node."""
        body = talker(name, stated(self.spec.traffic_image))
        return self.api.core.create_namespaced_pod(self.namespace, body)

    def running(self, name: str, node: str = "", evicted_after: int | None = None) -> V1Pod:
        """Create such a pod and give it once it is Ready; raises NotInTime."""
        self.pod(name, node, evicted_after)
        return self.ready(name)

    def ready(self, name: str, within: float = START_SECONDS) -> V1Pod:
        """The pod, once it is Ready."""
        return wait_for(f"{name} is Ready", lambda: self.read(name), until=is_ready, within=within)

    def takes_pods(self) -> None:
        """Prove that the experiment's machine takes pods: one that is made now becomes Ready; raises NotInTime.

        What the API says of a machine can be older than what was done to it, and tells nothing of its pod network.
        """
        self.running(f"fresh-{uuid.uuid4().hex[:8]}")

    def read(self, name: str) -> V1Pod:
        """The pod, as it is now."""
        return self.api.core.read_namespaced_pod(name, self.namespace)

    def serve(self, pod: V1Pod) -> str:
        """Make a Service over the pod alone, named after it, and give its URL."""
        name = pod.metadata.name
        made = self.api.core.create_namespaced_service(self.namespace, service(name, {TALKER_LABEL: name}))
        return f"http://{made.spec.cluster_ip}/hostname"

    def endpoints(self, name: str) -> list[bool]:
        """Whether each endpoint of the Service of that name is ready."""
        slices = self.api.discovery.list_namespaced_endpoint_slice(
            self.namespace, label_selector=f"kubernetes.io/service-name={name}"
        ).items
        return [bool(end.conditions.ready) for one in slices for end in one.endpoints or []]

    def pods(self, name: str) -> list[V1Pod]:
        """The deployment's pods that are not on their way out, the oldest first."""
        found = self.api.pods(f"{TALKER_LABEL}={name}", namespace=self.namespace)
        staying = [pod for pod in found if pod.metadata.deletion_timestamp is None]
        return sorted(staying, key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.name))

    def deploy(self, name: str, replicas: int) -> None:
        """Create a deployment, and wait until all its pods are Ready; raises NotInTime."""
        body = deployment(name, stated(self.spec.traffic_image), replicas)
        self.api.apps.create_namespaced_deployment(self.namespace, body)
        self.converged(name, replicas)

    def container(self, name: str) -> str:
        """The id of the container of that name on the experiment's machine, as its runtime knows it."""
        return str(self.host.check_output(f"{CRICTL} ps --quiet --name '^{name}$'"))

    def another_is_ready(self, selector: str, stopped: str, within: float) -> None:
        """Wait until a system pod of the experiment's machine is Ready with another container than the one `stopped`.

        The API calls the pod Ready until kubelet has told of its container's end. Raises NotInTime.
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
        """Wait until the deployment's pods are that many, all of them Ready and as it says now; raises NotInTime."""
        wait_for(
            f"{replicas} pods of {name} are Ready, and no other",
            lambda: self.deployment(name).status,
            until=lambda seen: (seen.replicas, seen.ready_replicas, seen.updated_replicas) == (replicas,) * 3,
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
        """Make the fault, and mend it on every way out; both are proved, and noted with their times.

        `make` and `mend` are shell commands for the machine, or that of the node that is named; `is_in` and
        `is_mended` wait for the proof and raise if it does not come. `heals` says that the cluster mends it by itself,
        `halts` that the machine may be found off.
        """
        where = node or self.node.name
        fault = faults.Fault(name=name, node=where, make=make, mend=mend, halts=halts)

        def proved_in() -> None:
            is_in()
            now = self.watch.did(where, name)
            self.watch.fault = self.watch.fault or now
            if heals:
                self.watch.mended = now
            else:
                self._in.append(fault)

        def proved_mended() -> None:
            if fault in self._in:  # nobody mended it before
                self._in.remove(fault)
                self.watch.mended = self.watch.did(where, "mended")
            is_mended()
            self.watch.recovered = self.watch.did(where, "as before")

        began = self.watch.did(where, f"making: {name}")
        self.watch.making = self.watch.making or began
        with faults.made(fault, self.enter(where), is_in=proved_in, is_mended=proved_mended):
            yield

    def mend(self) -> None:
        """Undo the fault now, for the facts that are of its mending."""
        fault = self._in.pop()
        self.enter(fault.node).check_output(fault.mend)
        self.watch.mended = self.watch.did(fault.node, "mended")

    @contextmanager
    def made_good(self, what: str) -> Iterator[None]:
        """Note in the timeline that something was done which the cluster makes good: by the end of the block."""
        self.watch.fault = self.watch.mended = self.watch.did(self.node.name, what)
        yield
        self.watch.recovered = self.watch.did(self.node.name, "as before")

    def ask(self, name: str, host: Host, url: str, answer: str) -> None:
        """From now on ask the machine for `url` once a second; what is right is `answer`. The timeline has it."""
        other = second_connection(host)
        self.watch.ask(name, lambda: fetch(other, url) == answer)

    @contextmanager
    def static_pod_stopped(self, program: str) -> Iterator[None]:
        """A fault: a part of the control plane killed, and kept down by taking its manifest away from kubelet.

        Asked to end, an API server would first wait for its clients, for all of the 30 s that kubelet leaves it.
        """
        manifest, aside = f"/etc/kubernetes/manifests/{program}.yaml", f"/etc/kubernetes/{program}.aside"

        def is_down() -> bool:
            # A process that is gone could come back, as long as kubelet has not given its pod up.
            its_pod = f"{CRICTL} pods --quiet --state ready --name '^{program}-'"
            return self.host.check_output(its_pod) == "" and not processes(self.host, program)

        before = self.container(program)

        def mended() -> None:
            self.another_is_ready(f"component={program}", before, within=RESTART_SECONDS)
            at_rest(self.api, *[node.name for node in self.spec.nodes])

        with self.fault(
            f"{program} stopped",
            # kubelet sees the manifest go, and may be the first to end the process.
            make=f"running=$(pidof {program}); mv {manifest} {aside} && {{ kill -KILL $running || true; }}",
            mend=f"test ! -e {aside} || mv {aside} {manifest}",
            is_in=lambda: wait_for("its process and its pod are gone", is_down, within=STOP_SECONDS),
            is_mended=mended,
        ):
            yield


def processes(host: Host, program: str) -> list[str]:
    """The ids of the machine's processes that run the program; ps(1) knows but 15 letters of a name."""
    return str(host.run(f"pidof {program}").stdout).split()


def pod_url(pod: V1Pod) -> str:
    """Where the pod itself answers with its name."""
    return f"http://{pod.status.pod_ip}:{TALKER_PORT}/hostname"


def fetch(host: Host, url: str) -> str:
    """What a GET of `url` from the machine is answered with within 3 s; nothing if it is not."""
    return str(host.run(f"curl --silent --max-time 3 {url}").stdout)
