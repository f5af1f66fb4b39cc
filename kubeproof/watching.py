"""Watches a cluster while an experiment runs, so that what changed, and when, can be told afterwards."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Self

from kubernetes.client import ApiException
from urllib3.exceptions import HTTPError

from kubeproof.api import Api, condition, is_ready
from kubeproof.timeline import Milestones, Moment, Probe, Timeline

LOOK_SECONDS = 1.0
Kind = Literal["condition", "taint", "endpoint", "pod"]
Seen = dict[tuple[Kind, str], str]  # by kind and subject: what it was at the last look


class Watch:
    """Looks once a second at nodes, and at pods and endpoints of a namespace, and asks what it is told to ask.

    `ask` maps a name to a question, answered with whether it was; it may be added to at any time.
    """

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._moments: list[Moment] = []
        self._probes: list[Probe] = []
        self._seen: Seen = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look_again, daemon=True)
        self.ask: dict[str, Callable[[], bool]] = {}
        self.fault: datetime.datetime | None = None
        self.mended: datetime.datetime | None = None
        self.recovered: datetime.datetime | None = None

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._end.set()
        self._thread.join()

    def did(self, subject: str, what: str) -> datetime.datetime:
        """Note something that the experiment did, and when that was."""
        now = datetime.datetime.now(datetime.UTC)
        self._moments.append(Moment(at=now, kind="done", subject=subject, change=what))
        return now

    def unanswered(self) -> list[Probe]:
        """The questions, since the fault was in, that were not answered."""
        return [probe for probe in self._probes if self.fault and probe.at >= self.fault and not probe.answered]

    def timeline(self, experiment: str, promise: str, node: str) -> Timeline | None:
        """What was seen; nothing where no fault was made."""
        if self.fault is None:
            return None
        after = [moment for moment in self._moments if moment.at >= self.fault]
        unanswered = [probe.at for probe in self.unanswered()]
        changed = [moment.at for moment in after if moment.kind in ("condition", "taint", "endpoint")]
        evicted = [moment.at for moment in after if moment.kind == "pod" and moment.change == "Terminating"]
        return Timeline(
            experiment=experiment,
            promise=promise,
            node=node,
            moments=sorted(self._moments, key=lambda moment: moment.at),
            probes=self._probes,
            milestones=Milestones(
                fault=self.fault,
                detected=min([*unanswered, *changed], default=None),
                evicted=max(evicted, default=None),
                mended=self.mended,
                recovered=self.recovered,
            ),
        )

    def _look_again(self) -> None:
        while not self._end.wait(LOOK_SECONDS):
            try:
                seen = {**self._nodes(), **self._pods(), **self._endpoints(), ("condition", "the API"): "answers"}
            except (ApiException, HTTPError, OSError):
                seen = {**self._seen, ("condition", "the API"): "does not answer"}
            self._note(seen)
            for name, question in list(self.ask.items()):
                answered = False
                with suppress(Exception):  # no answer, whatever it was that came instead
                    answered = question()
                self._probes.append(Probe(at=datetime.datetime.now(datetime.UTC), name=name, answered=answered))

    def _note(self, seen: Seen) -> None:
        now = datetime.datetime.now(datetime.UTC)
        for kind, subject in sorted({*self._seen, *seen}):
            was, is_now = self._seen.get((kind, subject)), seen.get((kind, subject), "gone")
            if self._seen and was != is_now:
                self._moments.append(Moment(at=now, kind=kind, subject=subject, change=is_now))
        self._seen = seen

    def _nodes(self) -> Seen:
        nodes = self._api.core.list_node().items
        taints: Seen = {
            ("taint", f"{node.metadata.name} {taint.key}"): taint.effect
            for node in nodes
            for taint in node.spec.taints or []
        }
        ready: Seen = {("condition", node.metadata.name): f"Ready {condition(node, 'Ready')}" for node in nodes}
        return {**ready, **taints}

    def _pods(self) -> Seen:
        return {
            ("pod", pod.metadata.name): "Terminating"
            if pod.metadata.deletion_timestamp
            else f"{pod.status.phase}{', Ready' if is_ready(pod) else ''}"
            for pod in self._api.pods(namespace=self._namespace)
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
