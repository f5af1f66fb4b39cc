"""Watches a cluster while an experiment runs, and records what changed and when."""

import datetime
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Literal, Self

from kubernetes.client import ApiException
from kubernetes.client.models import V1Pod
from urllib3.exceptions import HTTPError

from kubeproof.access.api import Api, condition, is_ready
from kubeproof.results.timeline import Milestones, Moment, Probe, Timeline
from kubeproof.spec.wellknown import SERVICE_LABEL

EVERY_SECONDS = 1.0
# Questions at the same time: one without an answer takes seconds, and one connection to a machine carries ten sessions
# (sshd_config(5)'s MaxSessions), some of which the experiment itself needs.
UNDER_WAY = 6
THE_API = "the API"
GONE = "gone"
EVICTED = "Terminating, evicted"
HEALTHY = {"Ready True", "answers", "ready", "Running, Ready"}
Kind = Literal["condition", "taint", "endpoint", "pod"]
States = dict[tuple[Kind, str], str]  # by kind and subject


class Watch:
    """Looks once a second at the nodes, the system pods of one node, and a whole namespace; and asks questions.

    `node` is the machine on which the fault is made: changes of other machines are recorded, but are no sign of it.
    """

    def __init__(self, api: Api, namespace: str, node: str) -> None:
        self._api = api
        self._namespace = namespace
        self._node = node
        self._moments: list[Moment] = []
        self._probes: list[Probe] = []
        self._questions: dict[str, Callable[[], bool]] = {}
        self._states: States = {}
        self._system_pods: set[str] = set()  # names of the node's
        self._began = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        self._end = threading.Event()
        self._threads = [threading.Thread(target=again, daemon=True) for again in (self._look_again, self._ask_again)]
        self.making: datetime.datetime | None = None
        self.fault: datetime.datetime | None = None
        self.mended: datetime.datetime | None = None
        self.recovered: datetime.datetime | None = None

    def __enter__(self) -> Self:
        """Begin to look."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop looking."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def note(self, subject: str, action: str) -> datetime.datetime:
        """Record an action of the experiment, and return its time."""
        now = datetime.datetime.now(datetime.UTC)
        self._moments.append(Moment(at=now, kind="done", subject=subject, change=action))
        return now

    def ask(self, name: str, question: Callable[[], bool]) -> None:
        """From now on, ask once a second; `question` returns whether the answer came, and an exception means no."""
        self._questions[name] = question

    def unanswered(self) -> list[Probe]:
        """The questions without an answer since the experiment began to make the fault."""
        since = self.making or self.fault
        return [probe for probe in self._probes if since and probe.at >= since and not probe.answered]

    def timeline(self, experiment: str, promise: str) -> Timeline | None:
        """The record; None if no fault was made."""
        if self.fault is None:
            return None
        since = self.making or self.fault
        changes = [moment.at for moment in [*self._moments] if is_sign(moment, self._node, self._system_pods)]
        signs = [sign for sign in [*changes, *(probe.at for probe in self.unanswered())] if sign >= since]
        # A sign that came while the fault was being made counts from the time at which the fault was in.
        detected = min((max(sign, self.fault) for sign in signs), default=None)
        evicted = max((moment.at for moment in self._moments if moment.change == EVICTED), default=None)
        times = {"detected": detected, "evicted": evicted, "mended": self.mended, "recovered": self.recovered}
        return Timeline(
            experiment=experiment,
            promise=promise,
            node=self._node,
            moments=sorted([*self._moments, *self._events()], key=lambda moment: moment.at),
            probes=sorted(self._probes, key=lambda probe: probe.at),
            milestones=Milestones(fault=self.fault, **times),
        )

    def _look_again(self) -> None:
        while not self._end.wait(EVERY_SECONDS):
            try:
                states = {**self._nodes(), **self._pods(), **self._endpoints(), ("condition", THE_API): "answers"}
            except (ApiException, HTTPError, OSError):
                states = {**self._states, ("condition", THE_API): "does not answer"}
            self._record_changes(states)

    def _ask_again(self) -> None:
        with ThreadPoolExecutor(UNDER_WAY) as pool:
            while not self._end.wait(EVERY_SECONDS):
                for name, question in list(self._questions.items()):
                    pool.submit(self._ask, name, question)

    def _ask(self, name: str, question: Callable[[], bool]) -> None:
        began, answered = datetime.datetime.now(datetime.UTC), False
        with suppress(Exception):  # any exception means that no answer came
            answered = question()
        self._probes.append(Probe(at=began, name=name, answered=answered))

    def _record_changes(self, states: States) -> None:
        now = datetime.datetime.now(datetime.UTC)
        for kind, subject in sorted({*self._states, *states}):
            before, after = self._states.get((kind, subject)), states.get((kind, subject), GONE)
            if self._states and before != after:
                self._moments.append(Moment(at=now, kind=kind, subject=subject, change=after))
        self._states = states

    def _nodes(self) -> States:
        nodes = self._api.core.list_node().items
        states: States = {("condition", node.metadata.name): f"Ready {condition(node, 'Ready')}" for node in nodes}
        for node in nodes:
            for taint in node.spec.taints or []:
                states["taint", f"{node.metadata.name} {taint.key} {taint.effect}"] = "there"
        return states

    def _pods(self) -> States:
        system = self._api.pods(node=self._node)
        self._system_pods.update(pod.metadata.name for pod in system)
        pods = [*system, *self._api.pods(namespace=self._namespace)]
        return {("pod", pod.metadata.name): _state(pod) for pod in pods}

    def _endpoints(self) -> States:
        slices = self._api.discovery.list_namespaced_endpoint_slice(self._namespace).items
        states: States = {}
        for part in slices:
            for end in part.endpoints or []:
                subject = f"{part.metadata.labels[SERVICE_LABEL]} at {', '.join(end.addresses)}"
                states["endpoint", subject] = "ready" if end.conditions.ready else "not ready"
        return states

    def _events(self) -> list[Moment]:
        """The events since the watch began, of the node, its system pods, and everything in the namespace.

        They are read once, at the end: each has its time, and the API server keeps them for an hour (--event-ttl).
        """
        with suppress(ApiException, HTTPError):
            events = [(event, event.involved_object) for event in self._api.core.list_event_for_all_namespaces().items]
            moments = [
                # Some components set the one time, to the second, and some the other.
                Moment(
                    at=event.last_timestamp or event.event_time,
                    kind="event",
                    subject=target.name,
                    change=f"{event.reason}: {event.message}",
                )
                for event, target in events
                if target.namespace == self._namespace or target.name in (self._node, *self._system_pods)
            ]
            return [moment for moment in moments if moment.at >= self._began]
        return []


def is_sign(moment: Moment, node: str, system_pods: Collection[str]) -> bool:
    """Whether the moment shows that the node, one of its system pods, an endpoint or the API is not well.

    All endpoints belong to the experiment, since a watch reads them in its namespace alone.
    """
    if moment.change in HEALTHY or (moment.kind == "taint" and moment.change == GONE):
        return False
    if moment.kind in ("condition", "taint"):
        return moment.subject == THE_API or moment.subject.split()[0] == node
    return moment.kind == "endpoint" or (moment.kind == "pod" and moment.subject in system_pods)


def _state(pod: V1Pod) -> str:
    if pod.metadata.deletion_timestamp:
        # A pod's own condition: https://kubernetes.io/docs/concepts/workloads/pods/disruptions/
        return EVICTED if condition(pod, "DisruptionTarget") == "True" else "Terminating"
    return f"{pod.status.phase}{', Ready' if is_ready(pod) else ''}"
