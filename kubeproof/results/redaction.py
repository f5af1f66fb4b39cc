"""Hides secrets in text: tokens, private keys, passwords and the credentials of a kubeconfig."""

import re
from typing import Annotated

from pydantic import BeforeValidator

HIDDEN = "<redacted>"

# The start of a word; also after a line end that is written as \\n.
WORD = r"(?:\b|(?<=\\[nrt]))"

# The group `kept` stays, so that a reader sees what kind of secret was hidden. A shell's $variable is no secret.
SECRETS = [
    # A private key; without its end it is hidden to the end of the text, without its start from its first line on.
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"(?<![\w+/=])(?:[\w+/=]{1,76}+(?:\n|\\+n)){1,80}+-----END [A-Z ]*PRIVATE KEY-----"),
    # A key or a certificate in a kubeconfig: "-----BEGIN " in base64.
    re.compile(r"LS0tLS1CRUdJTi[\w+/=]*"),
    # A JSON Web Token, such as that of a service account: its header begins with {" in base64.
    re.compile(r"eyJ[\w-]{1,500}+\.[\w-]++\.[\w-]*"),
    # https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#token-format
    re.compile(WORD + r"[a-z0-9]{6}\.[a-z0-9]{16}\b"),
    # The user and password in a URL (RFC 3986, 3.2.1).
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
    """`text` without secrets; a second call changes nothing."""
    for secret in SECRETS:
        text = secret.sub(lambda found: found.groupdict().get("kept", "") + HIDDEN, text)
    return text


def _clean(value: object) -> object:
    # Bytes that are not UTF-8 arrive as lone surrogates, which no file can hold.
    return redact(value.encode(errors="replace").decode()) if isinstance(value, str) else value


# The type of a field for output of a machine: it never holds a secret.
Redacted = Annotated[str, BeforeValidator(_clean)]
