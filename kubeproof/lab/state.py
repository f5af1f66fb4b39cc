"""The record of a running lab: its processes, and how to reach its daemon, machines and API."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel

from kubeproof.lab.processes import Process
from kubeproof.process import paths


class LabState(BaseModel):
    """Content of lab.json, which is written before the first process starts, so that a later run can end the lab."""

    docker_host: str
    ssh_key: Path
    run_arguments: list[str]
    api_port: int
    image: str = ""
    bundle: Path = Path()
    processes: list[Process] = []
    inotify_instances: int  # the host's limit before the first lab started

    @property
    def docker(self) -> dict[str, str]:
        """The environment in which a docker client finds the lab's daemon."""
        return {"DOCKER_HOST": self.docker_host, "DOCKER_BUILDKIT": "0"}

    def save(self) -> None:
        """Write lab.json."""
        paths.write_whole(file(), self.model_dump_json(indent=1))


def file() -> Path:
    """The place of lab.json, which exists from start to stop of the lab."""
    return paths.state() / "lab.json"


def docker_data() -> Path:
    """The daemon's folder of images, in the cache because they can be built again."""
    return paths.cache() / "docker" / paths.lab()


def running() -> LabState | None:
    """The lab that was started and not yet stopped, by this run or an earlier one."""
    return LabState.model_validate_json(file().read_text()) if file().exists() else None


def others() -> list[LabState]:
    """This user's running labs of other names."""
    files = [other for other in paths.state().parent.glob("kubeproof*/lab.json") if other != file()]
    return [LabState.model_validate_json(other.read_text()) for other in files]


@contextmanager
def locked() -> Iterator[None]:
    """Keep this user's other labs from starting or stopping in the block: all share the host's inotify limit."""
    folder = os.open(paths.state().parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
