"""The public registries that a cold build takes from, each asked by its own client: with its mirrors and proxies."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kubeproof.lab import LabFailed
from kubeproof.process.commands import CommandFailed

ASK_SECONDS = 60
# What clients let lead them elsewhere, in either case; and Go's and pip's own.
LEADING = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "GOPROXY", "PIP_INDEX_URL", "PIP_PROXY")
PASSWORD = re.compile(r"(?<=//)[^/@\s]+(?=@)")
# Where go, apt and pip say why; their last line often only says that they failed.
REASON = re.compile(r"^ *(go: |E: |Could not fetch |ERROR: ).*", re.MULTILINE)


def without_password(text: str) -> str:
    """The text without what stands before the host in an address."""
    return PASSWORD.sub("***", text)


@dataclass(frozen=True)
class Registry:
    """A registry, and a small question to it that raises CommandFailed where there is no answer."""

    name: str
    ask: Callable[[], object]

    def complaint(self) -> str:
        """Why it can't be asked, in one line; empty if it answers."""
        try:
            self.ask()
        except CommandFailed as error:
            said = REASON.search(error.output)
            return without_password(said[0].strip() if said else f"{error}".splitlines()[-1])
        return ""


@contextmanager
def taken_from(registry: Registry, what: str) -> Iterator[None]:
    """Take `what` from a registry while the block runs.

    Raises LabFailed if that fails and the registry does not answer; CommandFailed if it fails for another reason.
    """
    try:
        yield
    except CommandFailed as error:
        complaint = registry.complaint()
        if complaint:
            raise LabFailed(
                f"{registry.name} can't be asked for {what}: {complaint}\n{advice()} What is built by now is kept.\n"
                f"This is how it was found out: {error}"
            ) from None
        raise


def advice() -> str:
    """What to do where a registry can't be asked."""
    names = [name for key in LEADING for name in dict.fromkeys((key, key.upper())) if name in os.environ]
    led = ", ".join(f"{name}={without_password(os.environ[name])}" for name in names)
    proxies = f"the proxy variables ({led})" if led else "whether it takes a proxy (no proxy variable is set)"
    return f"Check this machine's network and {proxies}, then try again."
