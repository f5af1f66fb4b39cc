"""A cluster that can be entered: a module of its own, since whoever judges one needs nothing of what brings it up."""

import datetime
from pathlib import Path

from pydantic import BaseModel


class Cluster(BaseModel):
    """A cluster that is up: where it came from and how it is entered."""

    stamp: str
    checkout: Path
    spec: Path
    kubeconfig: Path
    ssh_config: Path
    since: datetime.datetime


class Restarts(BaseModel):
    """How often each machine's kubelet, by node, and each system container, by pod and name, was started again."""

    kubelets: dict[str, int]
    containers: dict[str, int]
