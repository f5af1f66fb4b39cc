"""Many questions are asked at a time, and each is answered for itself."""

import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from unittest.mock import Mock

import pytest
from kubernetes import client

from kubeproof.experiments.traffic import Questions, curl, sweep, temporary_namespace

SILENT = curl("http://127.0.0.1:1/hostname")  # nobody listens there


class Counting(BaseHTTPRequestHandler):
    """Answers with the path, and how often it was asked for."""

    asked: dict[str, int]

    def do_GET(self) -> None:
        """Count."""
        self.asked[self.path] = self.asked.get(self.path, 0) + 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.path} {self.asked[self.path]}".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of a server on loopback that counts what it is asked."""
    Counting.asked = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), Counting) as listening:
        Thread(target=listening.serve_forever).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


@pytest.fixture
def ask(server: str) -> Questions:
    """Asked from here."""
    questions = {"here": [curl(f"{server}/one"), curl(f"{server}/other"), SILENT]}
    return Questions(lambda _, command: subprocess.check_output(command, text=True), questions)


def test_the_first_question_asks_all(ask: Questions, server: str) -> None:
    """So the others cost nothing."""
    ask("here", curl(f"{server}/one"))
    assert Counting.asked == {"/one": 1, "/other": 1}


def test_a_place_that_cannot_be_asked_disturbs_no_other(server: str) -> None:
    """Only what is asked there is an error."""

    def run(place: str, command: list[str]) -> str:
        if place == "gone":
            raise ConnectionError(place)
        return subprocess.check_output(command, text=True)

    ask = Questions(run, {place: [curl(f"{server}/{place}")] for place in ("here", "gone")})
    assert ask("here", curl(f"{server}/here")) == "/here 1"
    with pytest.raises(ConnectionError):
        ask("gone", curl(f"{server}/gone"))


def test_every_place_is_asked_at_the_first_question() -> None:
    """Once, whatever is asked of it there."""
    run = Mock(side_effect=lambda place, _: f"0 the date at {place}\x01\n1 the hour\x01\n")
    ask = Questions(run, {place: ["date", "date +%H"] for place in ("here", "there")})
    assert [ask(place, "date") for place in ("here", "there")] == ["the date at here\n", "the date at there\n"]
    assert run.call_count == 2


def test_an_answer_keeps_its_lines() -> None:
    """And what a command says of what went wrong is among them."""
    question = "echo fits; echo too large >&2"
    ask = Questions(lambda _, command: subprocess.check_output(command, text=True), {"here": [question]})
    assert ask("here", question) == "fits\ntoo large\n"


def test_each_is_answered_for_itself(ask: Questions, server: str) -> None:
    """The other's answer is the other's."""
    assert [ask("here", curl(f"{server}/{path}")) for path in ("one", "other")] == ["/one 1", "/other 1"]


def test_who_asks_again_is_answered_anew(ask: Questions, server: str) -> None:
    """An answer that was had before may be an old one."""
    ask("here", curl(f"{server}/one"))
    assert ask("here", curl(f"{server}/one")) == "/one 2"


def test_one_that_is_silent_keeps_no_other_waiting(ask: Questions, server: str) -> None:
    """What curl says of it is told."""
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


def test_what_a_killed_run_left_is_deleted() -> None:
    """But what is on its way out."""
    api = Mock()
    api.core.list_namespace.return_value = namespaces("Active", "Terminating")
    assert sweep(api) == ["active"]
    api.core.delete_namespace.assert_called_once_with("active", grace_period_seconds=0)


def test_others_namespaces_are_let_be() -> None:
    """Only those are looked for that carry what each of this machine's carries."""
    api = Mock()
    api.core.list_namespace.return_value = namespaces()
    with temporary_namespace(api):
        made = api.core.create_namespace.call_args.args[0]
    sweep(api)
    asked = api.core.list_namespace.call_args.kwargs["label_selector"]
    assert [f"{key}={value}" for key, value in made.metadata.labels.items()] == [asked]
