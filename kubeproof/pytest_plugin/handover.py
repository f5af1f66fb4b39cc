"""The folder by which the process that the person started and xdist's workers talk."""

import json
from dataclasses import dataclass
from pathlib import Path

from kubeproof.access.cluster import Cluster, Restarts
from kubeproof.process import paths


@dataclass
class Handover:
    """The folder and its files; a value that was not written yet raises FileNotFoundError."""

    folder: Path

    @property
    def plan(self) -> Path:
        """The file of the collection's units, which a worker writes; see schedule.write."""
        return self.folder / "plan.json"

    @property
    def wants_cluster(self) -> bool:
        """Whether a worker has collected a check."""
        return (self.folder / "wants-cluster").exists()

    def want_cluster(self) -> None:
        """Note that a check was collected."""
        (self.folder / "wants-cluster").touch()

    @property
    def not_judged(self) -> dict[str, str]:
        """The checks that were not collected, and why."""
        reasons: dict[str, str] = json.loads((self.folder / "not-judged.json").read_text())
        return reasons

    @not_judged.setter
    def not_judged(self, reasons: dict[str, str]) -> None:
        # All of xdist's workers write the same.
        paths.write_whole(self.folder / "not-judged.json", json.dumps(reasons))

    @property
    def cluster(self) -> Cluster:
        """The cluster to judge, once it is up."""
        return Cluster.model_validate_json((self.folder / "cluster.json").read_text())

    @cluster.setter
    def cluster(self, cluster: Cluster) -> None:
        (self.folder / "cluster.json").write_text(cluster.model_dump_json())

    @property
    def restarts(self) -> Restarts:
        """The numbers of restarts when the run first looked."""
        return Restarts.model_validate_json((self.folder / "restarts.json").read_text())

    @restarts.setter
    def restarts(self, restarts: Restarts) -> None:
        (self.folder / "restarts.json").write_text(restarts.model_dump_json())

    @property
    def report(self) -> Path:
        """The folder of this run's results."""
        return Path((self.folder / "report").read_text())

    @report.setter
    def report(self, folder: Path) -> None:
        (self.folder / "report").write_text(str(folder))
