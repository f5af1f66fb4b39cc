"""The record of a cluster that can be entered, apart from the code that brings one up: the checks need only this."""

import datetime
from pathlib import Path

from pydantic import BaseModel


class Cluster(BaseModel):
    """A cluster that is up: its origin, and how it is entered."""

    stamp: str
    checkout: Path
    spec: Path
    kubeconfig: Path
    ssh_config: Path
    since: datetime.datetime


class Restarts(BaseModel):
    """How often each kubelet, by node, and each system container, by pod and name, was restarted."""

    kubelets: dict[str, int]
    containers: dict[str, int]
