"""`python -m kubeproof.spec FILE` validates a spec and prints it as JSON for the Vagrantfile."""

import sys
from pathlib import Path

from kubeproof.spec import SpecError, load


def main() -> None:
    """Print the spec named on the command line, with absolute paths; exit with 2 and a message if it is invalid."""
    try:
        spec = load(Path(sys.argv[1]))
    except SpecError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    sys.stdout.write(spec.document())


if __name__ == "__main__":
    main()
