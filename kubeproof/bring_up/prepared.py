"""A cluster that another program brought up; a run judges all of it or some machines, and never ends it."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel

from kubeproof.access.cluster import Cluster
from kubeproof.process import paths
from kubeproof.results.steps import BringUpFailed


class PreparedCluster(BaseModel):
    """How to enter the cluster, which machines to judge, and how their bring-up failed if it did.

    Without `machines` everything is judged; with them, only their own cases. `settle_seconds` is the time that they
    have to come to rest.
    """

    cluster: Cluster
    machines: list[str] = []
    failure: BringUpFailed | None = None
    settle_seconds: float

    def write(self, file: Path) -> None:
        """Write the file that --kubeproof-prepared names."""
        paths.write_whole(file, self.model_dump_json(indent=1))

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a file of write(); raises OSError or pydantic's ValidationError."""
        return cls.model_validate_json(file.read_text())
