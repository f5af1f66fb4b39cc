"""Secrets do not leave the machines: no file of a run contains a token, a key, a kubeconfig or a password."""

import base64
import time
from pathlib import Path

import pytest

from kubeproof import report
from kubeproof.access.ssh import Unreachable
from kubeproof.results import evidence, timeline
from kubeproof.results.redaction import redact
from selftests.sample_runs import at, kubelet_stopped, result, write

BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n" * 3
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}-----END RSA PRIVATE KEY-----"
CERTIFICATE = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nMIIDITCCAgmgAwIBAgIIT\n").decode()
# Output of a machine, and the part that must not be kept.
SECRETS = {
    "join token": ("kubeadm join --token 123456.1234567890123456", "1234567890123456"),
    "token alone": ("123456.1234567890123456", "1234567890123456"),
    "service account": ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "c2lnbmF0dXJl"),
    "private key": (PEM, "t9Us8cKj"),
    "key without its end": (f"-----BEGIN PRIVATE KEY-----\n{BODY}", "t9Us8cKj"),
    "key without its start": (f"{BODY}-----END PRIVATE KEY-----", "t9Us8cKj"),
    "kubeconfig, key": ("    client-key-data: c2VjcmV0a2V5Cg==", "c2VjcmV0a2V5"),
    "kubeconfig, certificate": (f"    client-certificate-data: {CERTIFICATE}", CERTIFICATE),
    "kubeconfig, token": ("    token: an-opaque-token-0815", "an-opaque-token-0815"),
    "kubeconfig, JSON": ('{"user":{"client-key-data":"c2VjcmV0a2V5Cg=="}}', "c2VjcmV0a2V5"),
    "kubeconfig, escaped JSON": ('{\\"password\\": \\"hunter2hunter2\\"}', "hunter2hunter2"),
    "proxy": ("https_proxy=http://user:hunter2hunter2@proxy.example:3128", "hunter2hunter2"),
    "clone": ("git clone https://gh-0815-4711@git.example/scripts", "gh-0815-4711"),
    "header": ("> Authorization: Basic dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy"),
    "certificate key": ("--certificate-key 0123456789abcdef0123456789abcdef", "0123456789abcdef"),
}
HARMLESS = [
    "--token ${TOKEN:?}",
    "https://192.168.1.10:6443/livez",
    "registry.k8s.io/pause:3.10",
    "the token expires: see accepted_risks",
    "sha256:7c38f24774e3cbd906d2d33c38354ccf787635581c122965132c9bd309754d4a",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_stays(text: str) -> None:
    """A report needs its facts."""
    assert redact(text) == text


@pytest.mark.parametrize("text", ["a.b-c+d", "eyJ", "token: ", "0123456789abcdef\n", "://"])
def test_redaction_is_fast(text: str) -> None:
    """For repetitive output, too: a second for 100 kB is a hundred times the usual time."""
    started = time.process_time()
    redact(text * (100_000 // len(text)))
    assert time.process_time() - started < 1


@pytest.mark.parametrize(("text", "secret"), SECRETS.values(), ids=SECRETS)
def test_a_second_redaction_changes_nothing(text: str, secret: str) -> None:
    """The first one removes the secret."""
    assert secret not in redact(text)
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(("text", "secret"), SECRETS.values(), ids=SECRETS)
def test_no_file_of_a_report_has_a_secret(tmp_path: Path, text: str, secret: str) -> None:
    """Wherever it was: in a value, a message, evidence or an experiment."""
    output = f"before\n{text}\nafter"

    def unreachable() -> None:
        raise Unreachable(output)

    gathered = evidence.of_machine(tmp_path / "evidence", "w1-k8s", unreachable)
    by_hand = tmp_path / "evidence" / "w2-k8s.txt"
    by_hand.write_text(redact(output))
    red = result(
        outcome="failed",
        expected=repr(output),
        seen=repr([output]),
        message=output,
        check=f"swap_is_off[{text}]",
        evidence=str(gathered.relative_to(tmp_path)),
    )
    write(tmp_path, [red, result(outcome="error", message=output, evidence="evidence/w2-k8s.txt")])
    moment = timeline.Moment(at=at(101), kind="event", subject=output, change=output)
    timeline.save(tmp_path, kubelet_stopped().model_copy(update={"moments": [moment]}))
    report.write(tmp_path)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {file.name for file in files} >= {"report.html", "report.md", "junit.xml", "results.json", "w1-k8s.txt"}
    assert [file.name for file in files if secret in file.read_text()] == []
    assert "before" in (tmp_path / "report.html").read_text()
