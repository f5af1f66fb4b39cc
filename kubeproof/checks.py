"""Everything that a check imports: `from kubeproof.checks import Node, Spec, wait_for`.

These names are stable, for kubeproof's checks and a team's; the rest of the package may change with any release.
"""

from kubeproof.access import package_manager
from kubeproof.access.api import Api, condition, is_done, is_ready, minor
from kubeproof.access.cluster import Cluster, Restarts
from kubeproof.access.ssh import Unreachable, http_status, second_connection
from kubeproof.experiments import stability, timers
from kubeproof.experiments.experiment import CRICTL, RESTART_SECONDS, Experiment, fetch
from kubeproof.experiments.settling import at_rest
from kubeproof.experiments.traffic import (
    TALKER_LABEL,
    TALKER_PORT,
    Questions,
    Traffic,
    allow_traffic,
    curl,
    on_every_node,
    pod_url,
)
from kubeproof.process.waiting import NotInTime, wait_for
from kubeproof.spec import Node, Spec, scripts, stated, wellknown
from kubeproof.spec.pairs import pairs
