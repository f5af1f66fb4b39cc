"""Talkers: pods of upstream's test program agnhost, one on each node, and Services over them."""

import re
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kubernetes.client.models import V1Pod

from kubeproof.access.api import Api, is_ready
from kubeproof.process.waiting import wait_for
from kubeproof.spec.wellknown import UNREACHABLE_TAINT

TALKER_PORT = 8080  # agnhost netexec listens here
TALKER_LABEL = "kubeproof.example/traffic"
MADE_ON = "kubeproof.example/made-on"
START_SECONDS = 90
PLACES_AT_ONCE = 8
LINE = "\x01"  # stands for a line break, since each answer comes in one line
# Each question runs in its own shell, so that a question without an answer does not delay the others.
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
    """Create a namespace for pods, and delete it with all its content at the end; raises NotInTime."""
    name = f"kubeproof-{uuid.uuid4().hex[:8]}"
    api.core.create_namespace({"metadata": {"name": name, "labels": {MADE_ON: _this_machine()}}})
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
    """Delete the namespaces that killed runs of this machine left, and return their names."""
    namespaces = api.core.list_namespace(label_selector=f"{MADE_ON}={_this_machine()}").items
    names = [namespace.metadata.name for namespace in namespaces if namespace.status.phase == "Active"]
    for name in names:
        api.core.delete_namespace(name, grace_period_seconds=0)
    return names


def _this_machine() -> str:
    """This machine's name as a label value: other machines may judge the same existing cluster."""
    return re.sub(r"[^A-Za-z0-9]+", "-", socket.gethostname())[:63].strip("-")


def talker(name: str, image: str, node: str = "", evicted_after: int | None = None) -> dict[str, Any]:
    """A pod that answers with its host name, bound to `node` if one is named.

    It tolerates every taint; with `evicted_after`, only an unreachable node, for that many seconds.
    """
    limited = {
        "key": UNREACHABLE_TAINT,
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": evicted_after,
    }
    return {
        "metadata": {"name": name, "labels": {TALKER_LABEL: name, "app": "talker"}},
        "spec": {
            "tolerations": [{"operator": "Exists"} if evicted_after is None else limited],
            "terminationGracePeriodSeconds": 1,
            # The pod never uses the API: without a token it starts sooner and costs its machine less.
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "containers": [
                {
                    "name": "agnhost",
                    "image": image,
                    "args": ["netexec", f"--http-port={TALKER_PORT}"],
                    "readinessProbe": {"httpGet": {"path": "/", "port": TALKER_PORT}, "periodSeconds": 1},
                }
            ],
            **({"nodeName": node} if node else {}),
        },
    }


def deployment(name: str, image: str, replicas: int) -> dict[str, Any]:
    """A deployment of `replicas` talkers; an edit replaces all of them at the same time."""
    pod = talker(name, image)
    del pod["spec"]["tolerations"]
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {TALKER_LABEL: name}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%"}},
            "template": {"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]},
        },
    }


def service(name: str, selector: dict[str, str], kind: str = "ClusterIP") -> dict[str, Any]:
    """A Service of that kind over the talkers with those labels, on port 80."""
    ports = [{"port": 80, "targetPort": TALKER_PORT}]
    return {"metadata": {"name": name}, "spec": {"type": kind, "selector": selector, "ports": ports}}


def pod_url(pod: V1Pod) -> str:
    """The URL at which a talker answers with its name."""
    return f"http://{pod.status.pod_ip}:{TALKER_PORT}/hostname"


@dataclass
class Traffic:
    """Talkers and their Services: by node name, a talker and a Service over it alone; a NodePort Service over all."""

    namespace: str
    pods: dict[str, V1Pod]
    own_ips: dict[str, str]
    cluster_ip: str
    node_port: int

    @property
    def names(self) -> set[str]:
        """The talkers' names, which are their answers."""
        return {pod.metadata.name for pod in self.pods.values()}

    def pod_url(self, node: str) -> str:
        """The URL of the node's talker."""
        return pod_url(self.pods[node])

    def own_url(self, node: str) -> str:
        """The URL of the Service over the node's talker alone."""
        return f"http://{self.own_ips[node]}/hostname"

    @property
    def url(self) -> str:
        """The URL of the Service over all talkers."""
        return f"http://{self.cluster_ip}/hostname"


def allow_traffic(api: Api, guarded: V1Pod, *friends: V1Pod) -> None:
    """Create a network policy that lets only `friends` reach `guarded`; policies add up."""
    target, *sources = ({"matchLabels": {TALKER_LABEL: pod.metadata.name}} for pod in (guarded, *friends))
    policy = {
        "metadata": {"generateName": "admit-"},
        "spec": {
            "podSelector": target,
            "policyTypes": ["Ingress"],
            # One rule for each friend: a single rule with an empty list of peers would admit everybody.
            "ingress": [{"from": [{"podSelector": source}]} for source in sources],
        },
    }
    api.networking.create_namespaced_network_policy(guarded.metadata.namespace, policy)


@contextmanager
def on_every_node(api: Api, image: str, nodes: list[str]) -> Iterator[Traffic]:
    """Start a talker on each node, wait until all are Ready, and remove them at the end; raises NotInTime."""
    names = {node: f"on-{node}" for node in nodes}
    with temporary_namespace(api) as namespace:
        own_ips = {
            node: api.core.create_namespaced_service(namespace, service(name, {TALKER_LABEL: name})).spec.cluster_ip
            for node, name in names.items()
        }
        spec = api.core.create_namespaced_service(namespace, service("talkers", {"app": "talker"}, "NodePort")).spec
        for node, name in names.items():
            api.core.create_namespaced_pod(namespace, talker(name, image, node))
        pods = wait_for(
            "every talker is Ready",
            lambda: {pod.spec.node_name: pod for pod in api.pods(namespace=namespace) if is_ready(pod)},
            until=lambda ready: set(ready) >= set(nodes),
            within=START_SECONDS,
        )
        yield Traffic(
            namespace, {node: pods[node] for node in nodes}, own_ips, spec.cluster_ip, spec.ports[0].node_port
        )


def curl(url: str, seconds: int = 5) -> str:
    """A command that prints the answer to a GET, or curl's error if none comes within that many seconds."""
    return f"curl --silent --show-error --insecure --max-time {seconds} {url}"


class Questions:
    """The output of shell commands, each asked of a place: the pod or the machine of a node.

    `run` runs a command at a place and returns its output, from any thread. The first question asks all `questions` of
    all places at the same time, since a command there costs more than the question in it. Each of these answers is used
    once; a repeated question is asked again.
    """

    def __init__(self, run: Callable[[str, list[str]], str], questions: Mapping[str, Sequence[str]]) -> None:
        self._run = run
        self._questions = dict(questions)
        self._answers: dict[str, Future[dict[str, str]]] = {}

    def __call__(self, place: str, question: str) -> str:
        """The whole output of the command, stderr included; raises what `run` raises."""
        if not self._answers:
            with ThreadPoolExecutor(PLACES_AT_ONCE) as pool:
                self._answers = {name: pool.submit(self._ask, name, asked) for name, asked in self._questions.items()}
        future = self._answers[place]
        answers = {} if future.exception() else future.result()
        if question not in answers:
            return self._ask(place, [question]).get(question, "")
        return answers.pop(question)

    def _ask(self, place: str, questions: Sequence[str]) -> dict[str, str]:
        output = self._run(place, ["sh", "-c", ASK_ALL, "ask", *questions])
        answers = (line.partition(" ") for line in output.split("\n") if line)
        return {questions[int(number)]: answer.replace(LINE, "\n") for number, _, answer in answers}
