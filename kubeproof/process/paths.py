"""Where kubeproof finds its own files, and where it keeps files that outlive a run.

Built components go into the user's cache and a kept lab into the user's state; nothing is written beside the program.
"""

import os
import tempfile
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parent.parent
# A wheel contains the checkout's folders inside the package (see pyproject.toml).
CHECKOUT = next(folder for folder in (_PACKAGE / "checkout", _PACKAGE.parent) if (folder / "provision").is_dir())
CHECKS = CHECKOUT / "tests"
RECIPES = CHECKOUT / "lab"
DRAFTS = ".*.draft"
MUTANTS = CHECKOUT / "provision" / "mutants.yaml"
DEFAULT_SPEC = CHECKOUT / "provision" / "clusters" / "default.yaml"


def cache() -> Path:
    """The folder of built components; it can be deleted at any time while no lab runs."""
    return Path(platformdirs.user_cache_dir("kubeproof"))


def lab() -> str:
    """The lab's name, which its folder and its control group share.

    A machine has one lab. KUBEPROOF_LAB names another one, for specs with other ssh ports.
    """
    return os.environ.get("KUBEPROOF_LAB", "kubeproof")


def state() -> Path:
    """The folder of the lab on this machine; it may not exist."""
    return Path(platformdirs.user_state_dir(lab()))


def write_whole(file: Path, text: str) -> None:
    """Write a file that only its owner may read; a reader finds either the old text or all of the new one."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".draft", dir=file.parent)
    os.close(descriptor)
    draft = Path(name)  # a new name each time: xdist's workers may write the same file at once
    try:
        draft.write_text(text)
        draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)  # it still exists if the disk was full
