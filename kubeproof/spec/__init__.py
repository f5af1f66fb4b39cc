"""The spec: the description of a cluster, read from YAML and validated before anything starts.

It never knows how a cluster is made, entered or judged.
"""

from kubeproof.spec.load import load
from kubeproof.spec.model import Existing, Node, NotStated, Spec, stated
from kubeproof.spec.wording import SpecError

__all__ = ["Existing", "Node", "NotStated", "Spec", "SpecError", "load", "stated"]
