"""The session: its spec and handover are made before anything starts, and its signals are handled to the end."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from kubeproof.process import commands, temporary
from kubeproof.process.stopping import Stopping
from kubeproof.pytest_plugin import batches
from kubeproof.pytest_plugin.handover import Handover
from kubeproof.pytest_plugin.options import cluster_file
from kubeproof.pytest_plugin.stash import BATCH, BATCHES_WANTED, HANDOVER, PREPARED, SPEC, STOPPING
from kubeproof.spec import Existing, Spec, SpecError, load

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

FEWEST_WORKERS = 3  # experiments mostly wait: three run side by side on one core as well


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse a bad spec before anything starts, and make the folder by which this process and its workers talk."""
    spec = config.stash[SPEC] = _spec(config)
    file = config.getoption("kubeproof_prepared")
    config.stash[PREPARED] = None
    if file:
        from kubeproof.bring_up.prepared import PreparedCluster

        config.stash[PREPARED] = PreparedCluster.read(file)
    # A mutant's run judges some machines of another's cluster: its cases are few.
    config.stash[BATCHES_WANTED] = not file and batches.are_wanted(config, [node.name for node in spec.nodes])
    config.stash[BATCH] = {}
    if config.option.collectonly:
        return
    if _is_worker(config):
        # Otherwise it would go on with its experiment for a while, beside the next run, which mends from the journal.
        commands.die_with_parent()
        folder = Path(config.workerinput["kubeproof_handover"])  # type: ignore[attr-defined] # xdist's
        config.stash[HANDOVER] = Handover(folder)
        return
    closing = ExitStack()
    config.add_cleanup(closing.close)
    config.stash[STOPPING] = closing.enter_context(Stopping())
    config.stash[HANDOVER] = Handover(closing.enter_context(temporary.folder()))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """Give a worker of xdist the folder of the handover."""
    node.workerinput["kubeproof_handover"] = str(node.config.stash[HANDOVER].folder)


@pytest.hookimpl(wrapper=True)
def pytest_sessionstart(session: pytest.Session) -> Generator[None]:
    """Load what brings a cluster up and keeps the results, while the workers, which xdist just started, collect."""
    yield
    config = session.config
    if STOPPING not in config.stash:
        return
    from kubeproof.pytest_plugin.conductor import Conductor
    from kubeproof.pytest_plugin.recorder import Recorder

    recorder = Recorder(config)
    config.pluginmanager.register(recorder, "kubeproof-recorder")
    # Registered later, it ends the cluster after the report is written.
    config.pluginmanager.register(Conductor(config, recorder), "kubeproof-conductor")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Give `-n auto` a worker for each core, three at least."""
    return max(FEWEST_WORKERS, psutil.cpu_count() or 1)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep the garbage collector away from what the end of the process frees as a whole."""
    if HANDOVER in session.config.stash and session.config.stash[HANDOVER].wants_cluster:
        gc.freeze()


def _spec(config: pytest.Config) -> Spec:
    """The spec that the options or the configuration name; raises pytest.UsageError if it can't be used."""
    file = cluster_file(config)
    try:
        spec = load(file)
        if not isinstance(spec, Existing) and not _is_worker(config):
            from kubeproof.bring_up import hosting

            hosting.of(spec.provider).refuse_impossible(spec, file)
    except SpecError as error:
        raise pytest.UsageError(f"the spec can't be used:\n{error}") from None
    allowed = config.getoption("kubeproof_allow_disruption")
    if allowed not in ("", spec.name):
        raise pytest.UsageError(
            f"--allow-disruption names {allowed}, but the cluster of the spec {file} is {spec.name}"
        )
    return spec


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")
