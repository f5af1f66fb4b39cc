"""What must not leave a machine: tokens, private keys, passwords, and what lets one in to a cluster."""

import re
from typing import Annotated

from pydantic import BeforeValidator

HIDDEN = "<redacted>"

# Where a word begins; also after a line end that was written as \\n.
WORD = r"(?:\b|(?<=\\[nrt]))"

# Each keeps what its group `kept` matched, so that a reader sees what was hidden. A shell's $variable is no secret.
SECRETS = [
    # A private key; one that was cut off is hidden to the end of the text, or from the start of its own lines.
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"(?<![\w+/=])(?:[\w+/=]{1,76}+(?:\n|\\+n)){1,80}+-----END [A-Z ]*PRIVATE KEY-----"),
    # The same, or a certificate, as a kubeconfig has it: "-----BEGIN " in base64.
    re.compile(r"LS0tLS1CRUdJTi[\w+/=]*"),
    # A JSON Web Token, such as a service account's: its header begins with {" in base64.
    re.compile(r"eyJ[\w-]{1,500}+\.[\w-]++\.[\w-]*"),
    # https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#token-format
    re.compile(WORD + r"[a-z0-9]{6}\.[a-z0-9]{16}\b"),
    # Who one is, inside a URL (RFC 3986, 3.2.1).
    re.compile(r"(?P<kept>://)[^\s/@'\"]++(?=@)"),
    # https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/#AuthInfo
    re.compile(
        r"(?P<kept>(?<![{$])"
        + WORD
        + r"(?:client-key-data|client-certificate-data|token|password)\\*[\"']?\s*[:=]\s*\\*[\"']?)"
        r"(?!<redacted>|\$)[^\s\"',}\\]+",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?P<kept>" + WORD + r"Authorization:\s*\w+\s+|--(?:token|certificate-key)[ =])(?!\$)[^\s\"'\\]+",
        re.IGNORECASE,
    ),
]


def redact(text: str) -> str:
    """`text` without tokens, private keys and passwords; doing it again changes nothing."""
    for secret in SECRETS:
        text = secret.sub(lambda found: found.groupdict().get("kept", "") + HIDDEN, text)
    return text


def _clean(value: object) -> object:
    # Bytes of a machine's that are no text came as lone surrogates, which no file can hold.
    return redact(value.encode(errors="replace").decode()) if isinstance(value, str) else value


# Text that may hold what a machine said: a model with such a field can't hold a secret.
Redacted = Annotated[str, BeforeValidator(_clean)]
