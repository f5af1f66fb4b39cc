"""The scripts under test: the bundled ones, or broken copies with which a mutant's self-test must be red."""

import os
from pathlib import Path

from kubeproof.process import paths

PROVISION = Path(os.environ.get("KUBEPROOF_PROVISION", paths.CHECKOUT / "provision"))
