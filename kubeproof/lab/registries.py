"""The public registries of a cold build; each one's own client asks it, so mirrors and proxies apply."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kubeproof.lab import LabFailed
from kubeproof.process.commands import CommandFailed

ASK_SECONDS = 60
# Variables that lead clients elsewhere, in lower or upper case; and Go's and pip's own.
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "GOPROXY", "PIP_INDEX_URL", "PIP_PROXY")
PASSWORD = re.compile(r"(?<=//)[^/@\s]+(?=@)")
# The line in which go, apt and pip state the reason; their last line often only reports a failure.
REASON = re.compile(r"^ *(go: |E: |Could not fetch |ERROR: ).*", re.MULTILINE)


def without_password(text: str) -> str:
    """The text without the user and password of each address."""
    return PASSWORD.sub("***", text)


@dataclass(frozen=True)
class Registry:
    """A registry, and a small question to it that raises CommandFailed if there is no answer."""

    name: str
    ask: Callable[[], object]

    def complaint(self) -> str:
        """The reason, in one line, why it can't be asked; empty if it answers."""
        try:
            self.ask()
        except CommandFailed as error:
            reason = REASON.search(error.output)
            return without_password(reason[0].strip() if reason else f"{error}".splitlines()[-1])
        return ""


@contextmanager
def taken_from(registry: Registry, what: str) -> Iterator[None]:
    """Explain a failure of the block, which takes `what` from a registry.

    Raises LabFailed if the registry does not answer; otherwise the block's CommandFailed.
    """
    try:
        yield
    except CommandFailed as error:
        complaint = registry.complaint()
        if complaint:
            raise LabFailed(
                f"{registry.name} can't be asked for {what}: {complaint}\n{advice()} Finished parts are kept.\n"
                f"The command that failed: {error}"
            ) from None
        raise


def advice() -> str:
    """The remedy if a registry can't be asked."""
    names = [name for key in VARIABLES for name in dict.fromkeys((key, key.upper())) if name in os.environ]
    values = ", ".join(f"{name}={without_password(os.environ[name])}" for name in names)
    proxies = f"the proxy variables ({values})" if values else "whether it needs a proxy (no proxy variable is set)"
    return f"Check this machine's network and {proxies}, then try again."
