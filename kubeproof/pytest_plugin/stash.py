"""The plugin's own values in pytest's configuration, by their keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from kubeproof.spec import Spec

if TYPE_CHECKING:  # loaded by the modules that use them
    from kubeproof.bring_up.prepared import PreparedCluster
    from kubeproof.process.stopping import Stopping
    from kubeproof.pytest_plugin.handover import Handover

SPEC = pytest.StashKey[Spec]()
PREPARED: pytest.StashKey[PreparedCluster | None] = pytest.StashKey()
HANDOVER: pytest.StashKey[Handover] = pytest.StashKey()
STOPPING: pytest.StashKey[Stopping] = pytest.StashKey()  # in the process that the person started alone
NOT_JUDGED = pytest.StashKey[dict[str, str]]()  # checks that are not collected, and why
COMPARED = pytest.StashKey[tuple[str, str]]()  # the two sides of the comparison that failed last: seen, expected
BATCHES_WANTED = pytest.StashKey[bool]()
BATCH = pytest.StashKey[dict[str, Sequence[Any]]]()  # the values of the batch that becomes tests now, by parameter
