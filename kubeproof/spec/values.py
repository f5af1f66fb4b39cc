"""The types of a spec's values: each validates a value, and refuses it with a sentence for a person."""

import re
import ssl
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, StringConstraints
from pydantic_core import PydanticCustomError

T = TypeVar("T")
ABSENT = object()  # the value of a missing required key


def _not_null(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError("null", "is empty: give it a value, or leave the key out")
    return value


def _network(value: Any) -> IPv4Network:
    # ipaddress takes a number for the address that it encodes.
    text = value if isinstance(value, str) else ""
    try:
        return IPv4Network(text)
    except ValueError:
        pass
    try:
        right = IPv4Network(text, strict=False)
    except ValueError:
        raise PydanticCustomError("network", "must be an IPv4 network such as 172.16.0.0/16") from None
    raise PydanticCustomError("network", "has host bits set: the network is {right}", {"right": str(right)})


def _address(value: Any) -> IPv4Address:
    try:
        return IPv4Address(value if isinstance(value, str) else "")
    except ValueError:
        raise PydanticCustomError("address", "must be an IPv4 address such as 192.168.1.10") from None


def _authority(value: Any) -> Path:
    try:
        file = Path(value if isinstance(value, str) else "")
        if file.is_absolute():
            ssl.create_default_context(cafile=file)
            return file
    except (OSError, ValueError) as error:
        reason = str(error)
        raise PydanticCustomError("authority", "can't be used: {reason}", {"reason": reason}) from None
    raise PydanticCustomError("authority", "must be the absolute path of a file of certificates in PEM")


def _matching(pattern: str, description: str) -> AfterValidator:
    def match(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise PydanticCustomError("mismatch", "must be {description}", {"description": description})
        return value

    return AfterValidator(match)


# A value that an existing cluster's spec may leave out. Its default is None, but a written null is refused.
Optional = Annotated[T | None, BeforeValidator(_not_null)]

Network = Annotated[IPv4Network, BeforeValidator(_network)]
Address = Annotated[IPv4Address, BeforeValidator(_address)]
Text = Annotated[str, StringConstraints(min_length=1)]
LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
# An RFC 1123 label, which kubelet requires of a node's name.
Name = Annotated[str, _matching(LABEL, "a name of at most 63 lower-case letters, digits and dashes, such as w1-k8s")]
Domain = Annotated[str, _matching(rf"{LABEL}(\.{LABEL})*", "a domain such as cluster.local")]
# An RFC 1123 subdomain: clouds give nodes such names.
NodeName = Annotated[str, _matching(rf"{LABEL}(\.{LABEL})*", "a name such as w1-k8s or ip-10-0-0-1.ec2.internal")]
# With a vendor's suffix, such as -eks-508b6b3.
Version = Annotated[str, _matching(r"[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?", "a whole version such as 1.36.3")]
# The parts of a cluster that checks can judge. `kubeadm` stands for its static pods, certificates and config maps,
# `kubelet` and `containerd` for services of systemd.
Component = Literal["kubeadm", "kubelet", "containerd", "etcd", "kube-proxy", "coredns", "calico", "flannel"]
# https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#token-format
Token = Annotated[
    str,
    _matching(
        r"[a-z0-9]{6}\.[a-z0-9]{16}", "a token such as abcdef.0123456789abcdef: 6 and 16 lower-case letters or digits"
    ),
]
# https://pkg.go.dev/time#ParseDuration, without signs and fractions of a second
Duration = Annotated[str, _matching(r"0|([0-9]+(\.[0-9]+)?[hms])+", "a duration such as 24h, 1h30m, or 0 for no end")]
Url = Annotated[str, _matching(r"https?://[^/\s]+\S*", "a URL such as https://mirror.example/releases")]
Authority = Annotated[Path, BeforeValidator(_authority)]
