"""Pods that talk: upstream's test program agnhost on each node, and a Service over them."""

import re
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from kubernetes import client
from kubernetes.client.models import V1Pod

from kubeproof.access.api import Api, is_ready
from kubeproof.process.waiting import wait_for

TALKER_PORT = 8080  # where agnhost's netexec listens
TALKER_LABEL = "kubeproof.example/traffic"
MADE_ON = "kubeproof.example/made-on"
START_SECONDS = 90
PLACES_AT_ONCE = 8
LINE = "\x01"  # the end of an answer's line, for each answer is in one
# Each question by a shell of its own, so that none waits for one that is not answered.
ASK_ALL = """
number=0
for question; do
    printf '%s %s\\n' $number "$(sh -c "$question" 2>&1 | tr '\\n' '\\001')" &
    number=$((number + 1))
done
wait
"""


@contextmanager
def temporary_namespace(api: Api) -> Iterator[str]:
    """A namespace of this test alone, in which pods can be made, deleted with all that is in it; raises NotInTime."""
    name = f"kubeproof-{uuid.uuid4().hex[:8]}"
    named = client.V1ObjectMeta(name=name, labels={MADE_ON: _this_machine()})
    api.core.create_namespace(client.V1Namespace(metadata=named))
    try:
        wait_for(
            f"{name} has the service account of its pods",
            lambda: api.core.read_namespaced_service_account("default", name),
            within=START_SECONDS,
        )
        yield name
    finally:
        api.core.delete_namespace(name, grace_period_seconds=0)


def sweep(api: Api) -> list[str]:
    """Delete the namespaces that runs of this machine, which were killed, have left; gives their names."""
    found = api.core.list_namespace(label_selector=f"{MADE_ON}={_this_machine()}").items
    left = [one.metadata.name for one in found if one.status.phase == "Active"]
    for name in left:
        api.core.delete_namespace(name, grace_period_seconds=0)
    return left


def _this_machine() -> str:
    """Its name as a label can have it: others may judge an existing cluster as well."""
    return re.sub(r"[^A-Za-z0-9]+", "-", socket.gethostname())[:63].strip("-")


def talker(name: str, image: str, node: str = "", evicted_after: int | None = None) -> client.V1Pod:
    """A pod that answers with its host name, bound to `node` if one is named.

    It tolerates every taint there; with `evicted_after`, a node that is unreachable for that many seconds only.
    """
    for_ever = client.V1Toleration(operator="Exists")
    for_now = client.V1Toleration(
        key="node.kubernetes.io/unreachable", operator="Exists", effect="NoExecute", toleration_seconds=evicted_after
    )
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name, labels={TALKER_LABEL: name, "app": "talker"}),
        spec=client.V1PodSpec(
            node_name=node or None,
            tolerations=[for_ever if evicted_after is None else for_now],
            termination_grace_period_seconds=1,
            # It asks the API nothing: a pod without a token is there sooner, and costs its machine less.
            automount_service_account_token=False,
            enable_service_links=False,
            containers=[
                client.V1Container(
                    name="agnhost",
                    image=image,
                    args=["netexec", f"--http-port={TALKER_PORT}"],
                    readiness_probe=client.V1Probe(
                        http_get=client.V1HTTPGetAction(path="/", port=TALKER_PORT), period_seconds=1
                    ),
                )
            ],
        ),
    )


def deployment(name: str, image: str, replicas: int) -> client.V1Deployment:
    """A deployment of that many pods that answer with their host names; an edit replaces all of them at a time."""
    pod = talker(name, image)
    pod.spec.tolerations = None
    return client.V1Deployment(
        metadata=client.V1ObjectMeta(name=name),
        spec=client.V1DeploymentSpec(
            replicas=replicas,
            selector=client.V1LabelSelector(match_labels={TALKER_LABEL: name}),
            strategy=client.V1DeploymentStrategy(
                rolling_update=client.V1RollingUpdateDeployment(max_surge="100%"), type="RollingUpdate"
            ),
            template=client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels=pod.metadata.labels), spec=pod.spec),
        ),
    )


def service(name: str, selector: dict[str, str], kind: str = "ClusterIP") -> client.V1Service:
    """A Service of that kind over the pods with those labels, on port 80."""
    return client.V1Service(
        metadata=client.V1ObjectMeta(name=name),
        spec=client.V1ServiceSpec(
            type=kind, selector=selector, ports=[client.V1ServicePort(port=80, target_port=TALKER_PORT)]
        ),
    )


@dataclass
class Traffic:
    """A talking pod on each node and a Service over it alone, by node name; and a NodePort Service over all of them."""

    namespace: str
    pods: dict[str, V1Pod]
    own_ips: dict[str, str]
    cluster_ip: str
    node_port: int

    @property
    def names(self) -> set[str]:
        """What the pods answer with."""
        return {pod.metadata.name for pod in self.pods.values()}

    def pod_url(self, node: str) -> str:
        """Where the pod on the node tells its name."""
        return f"http://{self.pods[node].status.pod_ip}:{TALKER_PORT}/hostname"

    def own_url(self, node: str) -> str:
        """Where the Service does whose only end that pod is."""
        return f"http://{self.own_ips[node]}/hostname"

    @property
    def url(self) -> str:
        """Where the Service over all of them does."""
        return f"http://{self.cluster_ip}/hostname"


def talkers(api: Api, namespace: str, image: str, nodes: Mapping[str, str]) -> dict[str, V1Pod]:
    """Start a talker of each name on its node; they are given by name once each is Ready. Raises NotInTime."""
    for name, node in nodes.items():
        api.core.create_namespaced_pod(namespace, talker(name, image, node))
    return wait_for(
        "every talker is Ready",
        lambda: {pod.metadata.name: pod for pod in api.pods(namespace=namespace) if is_ready(pod)},
        until=lambda ready: set(ready) >= set(nodes),
        within=START_SECONDS,
    )


def allow_traffic(api: Api, guarded: V1Pod, *friends: V1Pod) -> None:
    """Make a policy by which `guarded` is reached by those pods, and by others that another policy names."""
    only, *them = (
        client.V1LabelSelector(match_labels={TALKER_LABEL: pod.metadata.name}) for pod in (guarded, *friends)
    )
    policy = client.V1NetworkPolicy(
        metadata=client.V1ObjectMeta(generate_name="admit-"),
        spec=client.V1NetworkPolicySpec(
            pod_selector=only,
            policy_types=["Ingress"],
            # A rule without a peer would allow_traffic everybody.
            ingress=[
                client.V1NetworkPolicyIngressRule(_from=[client.V1NetworkPolicyPeer(pod_selector=one)]) for one in them
            ],
        ),
    )
    api.networking.create_namespaced_network_policy(guarded.metadata.namespace, policy)


@contextmanager
def on_every_node(api: Api, image: str, nodes: list[str]) -> Iterator[Traffic]:
    """Start the talkers, wait until each is Ready, and remove them at the end."""
    names = {node: f"on-{node}" for node in nodes}
    with temporary_namespace(api) as namespace:
        own_ips = {
            node: api.core.create_namespaced_service(namespace, service(name, {TALKER_LABEL: name})).spec.cluster_ip
            for node, name in names.items()
        }
        made = api.core.create_namespaced_service(namespace, service("talkers", {"app": "talker"}, "NodePort"))
        pods = talkers(api, namespace, image, {name: node for node, name in names.items()})
        yield Traffic(
            namespace,
            {node: pods[name] for node, name in names.items()},
            own_ips,
            made.spec.cluster_ip,
            made.spec.ports[0].node_port,
        )


Run = Callable[[str, list[str]], str]
"""Runs a command at a place, of a node its pod or the machine itself, and gives its output; from any thread."""


def curl(url: str, seconds: int = 5) -> str:
    """The command that tells what a GET is answered, or in curl's words that it is not within so many seconds."""
    return f"curl --silent --show-error --insecure --max-time {seconds} {url}"


class Questions:
    """What commands of the shell say at places, of nodes their pods or the machines themselves.

    The first question asks all `questions` of all places at once, since a command there costs more than what it asks;
    an answer that was had so is given once, and then asked anew.
    """

    def __init__(self, run: Run, questions: Mapping[str, Sequence[str]]) -> None:
        self._run = run
        self._questions = dict(questions)
        self._asked: dict[str, Future[dict[str, str]]] = {}

    def __call__(self, place: str, question: str) -> str:
        """All that the command says there; nothing where it could not be asked."""
        if not self._asked:
            with ThreadPoolExecutor(PLACES_AT_ONCE) as pool:
                self._asked = {one: pool.submit(self._ask, one, asked) for one, asked in self._questions.items()}
        asked = self._asked[place]
        heard = {} if asked.exception() else asked.result()
        if question not in heard:
            return self._ask(place, [question]).get(question, "")
        return heard.pop(question)

    def _ask(self, place: str, questions: Sequence[str]) -> dict[str, str]:
        said = self._run(place, ["sh", "-c", ASK_ALL, "ask", *questions])
        answers = (line.partition(" ") for line in said.split("\n") if line)
        return {questions[int(number)]: answer.replace(LINE, "\n") for number, _, answer in answers}
