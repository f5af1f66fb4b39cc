"""Where kubeproof finds what comes with it, and where it keeps what outlives a run.

The box's parts are kept in the user's cache, a kept lab in the user's state; nothing is written beside the program.
"""

import os
import tempfile
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parent.parent
# A wheel carries the checkout's folders inside the package (see pyproject.toml), where they are as they are there.
CHECKOUT = next(folder for folder in (_PACKAGE / "checkout", _PACKAGE.parent) if (folder / "provision").is_dir())
CHECKS = CHECKOUT / "tests"
RECIPES = CHECKOUT / "lab"
DRAFTS = ".*.draft"
MUTANTS = CHECKOUT / "provision" / "mutants.yaml"
DEFAULT_SPEC = CHECKOUT / "provision" / "clusters" / "default.yaml"


def cache() -> Path:
    """The folder of built components; it can be deleted at any time when no lab runs."""
    return Path(platformdirs.user_cache_dir("kubeproof"))


def lab() -> str:
    """The lab's name: of its folder and its control group.

    A machine has one, unless KUBEPROOF_LAB names another for the specs whose ssh ports are others too.
    """
    return os.environ.get("KUBEPROOF_LAB", "kubeproof")


def state() -> Path:
    """The folder of the lab that runs on this machine, if any."""
    return Path(platformdirs.user_state_dir(lab()))


def write_whole(file: Path, text: str) -> None:
    """Write a file that its owner alone may read, so that whoever reads it finds the old one or all of the new one."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".draft", dir=file.parent)
    os.close(descriptor)
    draft = Path(name)  # nobody else's: xdist's workers write the same file at a time
    try:
        draft.write_text(text)
        draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)  # where the disk was full
