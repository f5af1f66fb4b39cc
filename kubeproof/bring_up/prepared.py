"""A cluster that another program brought up, of which a run is to judge some machines, or all, and end nothing."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel

from kubeproof.access.cluster import Cluster
from kubeproof.process import paths
from kubeproof.results.steps import BringUpFailed


class Failure(BaseModel):
    """A BringUpFailed, as it goes from one process to another."""

    message: str
    script: str
    step: str
    reached: dict[str, tuple[str, str]]

    @classmethod
    def of(cls, failure: BringUpFailed) -> Self:
        """The same, to be written down."""
        return cls(message=str(failure), script=failure.script, step=failure.step, reached=failure.reached)

    @property
    def error(self) -> BringUpFailed:
        """The same, to be raised."""
        return BringUpFailed(self.message, self.script, self.step, self.reached)


class PreparedCluster(BaseModel):
    """How the cluster is entered, which machines to judge, and how their bring-up failed if it did.

    With no `machines`, all is judged; with some, what is of one of them alone. `settle_seconds` is what they are given
    to come to rest.
    """

    cluster: Cluster
    machines: list[str] = []
    failure: Failure | None = None
    settle_seconds: float

    def write(self, file: Path) -> None:
        """Put it where a run is told to find it, by --kubeproof-prepared."""
        paths.write_whole(file, self.model_dump_json(indent=1))

    @classmethod
    def read(cls, file: Path) -> Self:
        """What write() put there; raises OSError or pydantic's ValidationError."""
        return cls.model_validate_json(file.read_text())
