"""A cluster that exists already: a run enters it, and neither makes nor destroys it."""

import datetime
from pathlib import Path

from kubernetes.client import ApiException
from kubernetes.config import ConfigException
from urllib3.exceptions import HTTPError

from kubeproof.access.api import Api
from kubeproof.access.cluster import Cluster
from kubeproof.access.ssh import Unreachable
from kubeproof.process import paths
from kubeproof.spec import Existing

NO_SSH = Path("/dev/null")  # an ssh config without a host


def enter(spec: Existing, spec_file: Path) -> Cluster:
    """How the cluster is entered; raises Unreachable if its API does not answer or refuses the credentials."""
    try:
        Api(spec.kubeconfig).version.get_code()
    except (ApiException, ConfigException, HTTPError, OSError) as error:
        raise Unreachable(
            f"the API of {spec.name} does not answer: {' '.join(str(error).split())}. "
            f"Look with: kubectl --kubeconfig {spec.kubeconfig} version"
        ) from None
    return Cluster(
        stamp="",
        checkout=paths.CHECKOUT,
        spec=spec_file,
        kubeconfig=spec.kubeconfig,
        ssh_config=spec.ssh_config or NO_SSH,
        since=datetime.datetime.now(datetime.UTC),
    )
