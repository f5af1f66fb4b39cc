"""`python -m kubeproof.spec FILE` validates a spec and prints it as JSON, which is how the Vagrantfile reads it.

The JSON has absolute paths. A refused spec ends it with status 2 and the reasons on standard error.
"""

import sys
from pathlib import Path

from kubeproof.spec import SpecError, load

try:
    sys.stdout.write(load(Path(sys.argv[1])).document())
except SpecError as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(2)
