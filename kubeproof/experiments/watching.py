"""Watches a cluster while an experiment runs, so that what changed, and when, can be told afterwards."""

import datetime
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Literal, Self

from kubernetes.client import ApiException
from kubernetes.client.models import CoreV1Event, V1Pod
from urllib3.exceptions import HTTPError

from kubeproof.access.api import Api, condition, is_ready
from kubeproof.results.timeline import Milestones, Moment, Probe, Timeline

EVERY_SECONDS = 1.0
# Questions under way at the same time: one that nobody answers takes seconds, and sshd_config(5)'s MaxSessions lets ten
# of a machine's go over one connection, which the experiment itself uses as well.
UNDER_WAY = 6
THE_API = "the API"
GONE = "gone"
EVICTED = "Terminating, evicted"
WELL = {"Ready True", "answers", "ready", "Running, Ready"}  # what is no sign of a fault
Kind = Literal["condition", "taint", "endpoint", "pod"]
Seen = dict[tuple[Kind, str], str]  # by kind and subject: what it was at the last look


class Watch:
    """Looks once a second at the nodes, the system pods of one of them, and all of a namespace; and asks questions.

    `node` is the machine on which the fault goes in: what is seen of the others is kept too, and is no sign of it.
    """

    def __init__(self, api: Api, namespace: str, node: str) -> None:
        self._api = api
        self._namespace = namespace
        self._node = node
        self._moments: list[Moment] = []
        self._probes: list[Probe] = []
        self._questions: dict[str, Callable[[], bool]] = {}
        self._seen: Seen = {}
        self._system: set[str] = set()  # the names of the node's system pods
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
        """Look no more."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def did(self, subject: str, what: str) -> datetime.datetime:
        """Note something that the experiment did, and when that was."""
        now = datetime.datetime.now(datetime.UTC)
        self._moments.append(Moment(at=now, kind="done", subject=subject, change=what))
        return now

    def ask(self, name: str, question: Callable[[], bool]) -> None:
        """From now on ask this once a second; `question` says whether it was answered, as no exception does."""
        self._questions[name] = question

    def unanswered(self) -> list[Probe]:
        """The questions, since the fault began to be made, that were not answered."""
        since = self.making or self.fault
        return [probe for probe in self._probes if since and probe.at >= since and not probe.answered]

    def timeline(self, experiment: str, promise: str) -> Timeline | None:
        """What was seen; nothing where no fault was made."""
        if self.fault is None:
            return None
        since = self.making or self.fault
        signs = [
            *(one.at for one in [*self._moments] if one.at >= since and is_sign(one, self._node, self._system)),
            *(probe.at for probe in self.unanswered()),
        ]
        # What showed while the fault was being made, shows when it is in.
        detected = min((max(sign, self.fault) for sign in signs), default=None)
        evicted = [moment.at for moment in self._moments if moment.kind == "pod" and moment.change == EVICTED]
        return Timeline(
            experiment=experiment,
            promise=promise,
            node=self._node,
            moments=sorted([*self._moments, *self._events()], key=lambda moment: moment.at),
            probes=sorted(self._probes, key=lambda probe: probe.at),
            milestones=Milestones(
                fault=self.fault,
                detected=detected,
                evicted=max(evicted, default=None),
                mended=self.mended,
                recovered=self.recovered,
            ),
        )

    def _look_again(self) -> None:
        while not self._end.wait(EVERY_SECONDS):
            try:
                seen = {**self._nodes(), **self._pods(), **self._endpoints(), ("condition", THE_API): "answers"}
            except (ApiException, HTTPError, OSError):
                seen = {**self._seen, ("condition", THE_API): "does not answer"}
            self._note(seen)

    def _ask_again(self) -> None:
        with ThreadPoolExecutor(UNDER_WAY) as pool:
            while not self._end.wait(EVERY_SECONDS):
                for name, question in list(self._questions.items()):
                    pool.submit(self._ask, name, question)

    def _ask(self, name: str, question: Callable[[], bool]) -> None:
        asked, answered = datetime.datetime.now(datetime.UTC), False
        with suppress(Exception):  # no answer, whatever it was that came instead
            answered = question()
        self._probes.append(Probe(at=asked, name=name, answered=answered))

    def _note(self, seen: Seen) -> None:
        now = datetime.datetime.now(datetime.UTC)
        for kind, subject in sorted({*self._seen, *seen}):
            was, is_now = self._seen.get((kind, subject)), seen.get((kind, subject), GONE)
            if self._seen and was != is_now:
                self._moments.append(Moment(at=now, kind=kind, subject=subject, change=is_now))
        self._seen = seen

    def _nodes(self) -> Seen:
        nodes = self._api.core.list_node().items
        taints: Seen = {
            ("taint", f"{node.metadata.name} {taint.key} {taint.effect}"): "there"
            for node in nodes
            for taint in node.spec.taints or []
        }
        ready: Seen = {("condition", node.metadata.name): f"Ready {condition(node, 'Ready')}" for node in nodes}
        return {**ready, **taints}

    def _pods(self) -> Seen:
        system = self._api.pods(node=self._node)
        self._system.update(pod.metadata.name for pod in system)
        return {
            ("pod", pod.metadata.name): _state(pod) for pod in [*system, *self._api.pods(namespace=self._namespace)]
        }

    def _endpoints(self) -> Seen:
        slices = self._api.discovery.list_namespaced_endpoint_slice(self._namespace).items
        return {
            ("endpoint", f"{one.metadata.labels['kubernetes.io/service-name']} at {', '.join(end.addresses)}"): "ready"
            if end.conditions.ready
            else "not ready"
            for one in slices
            for end in one.endpoints or []
        }

    def _events(self) -> list[Moment]:
        """What components told, since the watch began, of the node, its system pods, and all in the namespace.

        The API server keeps them for an hour (--event-ttl of its reference): they are read once, and have their times.
        """
        with suppress(ApiException, HTTPError):
            return [
                Moment(
                    at=_told_at(event),
                    kind="event",
                    subject=event.involved_object.name,
                    change=f"{event.reason}: {event.message}",
                )
                for event in self._api.core.list_event_for_all_namespaces().items
                if _told_at(event) >= self._began
                and (
                    event.involved_object.namespace == self._namespace
                    or event.involved_object.name in (self._node, *self._system)
                )
            ]
        return []


def is_sign(moment: Moment, node: str, system: Collection[str]) -> bool:
    """Whether it shows that something is wrong with the node, with its system pods of those names, or with the API.

    Endpoints are looked at in the experiment's own namespace alone.
    """
    if moment.change in WELL or (moment.kind == "taint" and moment.change == GONE):
        return False
    if moment.kind in ("condition", "taint"):
        return moment.subject == THE_API or moment.subject.split()[0] == node
    return moment.kind == "endpoint" or (moment.kind == "pod" and moment.subject in system)


def _told_at(event: CoreV1Event) -> datetime.datetime:
    """When it was told last; some components say so to the second alone, others in a field of its own."""
    at: datetime.datetime = event.last_timestamp or event.event_time
    return at


def _state(pod: V1Pod) -> str:
    if pod.metadata.deletion_timestamp:
        # A pod's own condition: https://kubernetes.io/docs/concepts/workloads/pods/disruptions/
        return EVICTED if condition(pod, "DisruptionTarget") == "True" else "Terminating"
    return f"{pod.status.phase}{', Ready' if is_ready(pod) else ''}"
