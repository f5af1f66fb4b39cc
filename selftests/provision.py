"""Which scripts the self-tests are about: the bundled ones, or those that a test has broken to see another one red."""

import os
from pathlib import Path

from kubeproof.process import paths

PROVISION = Path(os.environ.get("KUBEPROOF_PROVISION", paths.CHECKOUT / "provision"))
