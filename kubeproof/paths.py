"""Where kubeproof keeps what outlives a run: the box's parts in the user's cache, a kept lab in the user's state."""

from __future__ import annotations

from pathlib import Path

import platformdirs

CHECKOUT = Path(__file__).resolve().parent.parent
RECIPES = CHECKOUT / "lab"
DEFAULT_SPEC = CHECKOUT / "provision" / "clusters" / "default.yaml"


def cache() -> Path:
    """The folder of built components; it can be deleted at any time when no lab runs."""
    return Path(platformdirs.user_cache_dir("kubeproof"))


def state() -> Path:
    """The folder of the lab that runs on this machine, if any."""
    return Path(platformdirs.user_state_dir("kubeproof"))
