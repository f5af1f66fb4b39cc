"""Questions are asked together, and each gets its own answer; namespaces are removed."""

import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from unittest.mock import Mock

import pytest
from kubernetes import client

from kubeproof.experiments.traffic import Questions, curl, sweep, temporary_namespace

SILENT = curl("http://127.0.0.1:1/hostname")  # no server listens there


class Counting(BaseHTTPRequestHandler):
    """Answers with the path and the number of its requests."""

    requests: dict[str, int]

    def do_GET(self) -> None:
        """Count the request."""
        self.requests[self.path] = self.requests.get(self.path, 0) + 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.path} {self.requests[self.path]}".encode())

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of a server on loopback that counts its requests."""
    Counting.requests = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), Counting) as listening:
        Thread(target=listening.serve_forever).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


@pytest.fixture
def ask(server: str) -> Questions:
    """Questions that this machine asks the server."""
    questions = {"here": [curl(f"{server}/one"), curl(f"{server}/other"), SILENT]}
    return Questions(lambda _, command: subprocess.check_output(command, text=True), questions)


def test_the_first_question_asks_all(ask: Questions, server: str) -> None:
    """The other questions cost no further command."""
    ask("here", curl(f"{server}/one"))
    assert Counting.requests == {"/one": 1, "/other": 1}


def test_a_place_that_cannot_be_asked_disturbs_no_other(server: str) -> None:
    """Only a question to that place raises."""

    def run(place: str, command: list[str]) -> str:
        if place == "gone":
            raise ConnectionError(place)
        return subprocess.check_output(command, text=True)

    ask = Questions(run, {place: [curl(f"{server}/{place}")] for place in ("here", "gone")})
    assert ask("here", curl(f"{server}/here")) == "/here 1"
    with pytest.raises(ConnectionError):
        ask("gone", curl(f"{server}/gone"))


def test_every_place_is_asked_at_the_first_question() -> None:
    """Each place is asked once, however many questions it has."""
    run = Mock(side_effect=lambda place, _: f"0 the date at {place}\x01\n1 the hour\x01\n")
    ask = Questions(run, {place: ["date", "date +%H"] for place in ("here", "there")})
    assert [ask(place, "date") for place in ("here", "there")] == ["the date at here\n", "the date at there\n"]
    assert run.call_count == 2


def test_an_answer_keeps_its_lines() -> None:
    """An answer contains stdout and stderr."""
    question = "echo fits; echo too large >&2"
    ask = Questions(lambda _, command: subprocess.check_output(command, text=True), {"here": [question]})
    assert ask("here", question) == "fits\ntoo large\n"


def test_each_question_has_its_own_answer(ask: Questions, server: str) -> None:
    """Answers of one place are not mixed up."""
    assert [ask("here", curl(f"{server}/{path}")) for path in ("one", "other")] == ["/one 1", "/other 1"]


def test_a_repeated_question_is_asked_again(ask: Questions, server: str) -> None:
    """The earlier answer may be outdated."""
    ask("here", curl(f"{server}/one"))
    assert ask("here", curl(f"{server}/one")) == "/one 2"


def test_a_question_without_an_answer_delays_no_other(ask: Questions, server: str) -> None:
    """Its answer is curl's error."""
    assert "Failed to connect" in ask("here", SILENT)
    assert ask("here", curl(f"{server}/one")) == "/one 1"


def namespaces(*phases: str) -> client.V1NamespaceList:
    """A namespace in each phase, named after it."""
    return client.V1NamespaceList(
        items=[
            client.V1Namespace(
                metadata=client.V1ObjectMeta(name=phase.lower()), status=client.V1NamespaceStatus(phase=phase)
            )
            for phase in phases
        ]
    )


def test_namespaces_of_killed_runs_are_deleted() -> None:
    """A namespace that is already being deleted is left alone."""
    api = Mock()
    api.core.list_namespace.return_value = namespaces("Active", "Terminating")
    assert sweep(api) == ["active"]
    api.core.delete_namespace.assert_called_once_with("active", grace_period_seconds=0)


def test_namespaces_of_other_machines_are_left_alone() -> None:
    """The sweep selects the label that this machine gives its namespaces."""
    api = Mock()
    api.core.list_namespace.return_value = namespaces()
    with temporary_namespace(api):
        created = api.core.create_namespace.call_args.args[0]
    sweep(api)
    selector = api.core.list_namespace.call_args.kwargs["label_selector"]
    assert [f"{key}={value}" for key, value in created["metadata"]["labels"].items()] == [selector]
