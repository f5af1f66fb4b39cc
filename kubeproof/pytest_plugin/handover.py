"""The folder by which the process that the person started and xdist's workers talk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from kubeproof.access.cluster import Cluster, Restarts
from kubeproof.process import paths
from kubeproof.pytest_plugin.schedule import Unit

T = TypeVar("T")


class _Entry(Generic[T]):
    """A value in a file of its own, as JSON; to read it before it is written raises FileNotFoundError."""

    def __init__(self, kind: type[T]) -> None:
        self._adapter = TypeAdapter(kind)

    def __set_name__(self, owner: type, name: str) -> None:
        self._file = f"{name}.json"

    def __get__(self, handover: "Handover", owner: type) -> T:
        return self._adapter.validate_json((handover.folder / self._file).read_text())

    def __set__(self, handover: "Handover", value: T) -> None:
        # All of xdist's workers may write the same.
        paths.write_whole(handover.folder / self._file, self._adapter.dump_json(value).decode())


@dataclass
class Handover:
    """The folder and its values."""

    folder: Path
    plan = _Entry(list[Unit])  # a worker knows the tests' marks, the controller only their names
    not_judged = _Entry(dict[str, str])  # the checks that were not collected, and why
    cluster = _Entry(Cluster)  # once it is up
    restarts = _Entry(Restarts)  # as the run first saw them
    report = _Entry(Path)  # the folder of this run's results

    @property
    def wants_cluster(self) -> bool:
        """Whether a worker has collected a check."""
        return (self.folder / "wants-cluster").exists()

    def want_cluster(self) -> None:
        """Note that a check was collected."""
        (self.folder / "wants-cluster").touch()
