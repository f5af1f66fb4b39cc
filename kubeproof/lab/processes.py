"""The lab's long-lived processes: started apart from the run, and identified by id and start time."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from pydantic import BaseModel

from kubeproof.process.commands import CommandFailed

END_SECONDS = 20


class Process(BaseModel):
    """A process that outlives the run; `started` tells it from a later process with the same id."""

    name: str
    pid: int
    started: float

    def is_running(self) -> bool:
        """Whether this process, and no later one with its id, still runs."""
        try:
            process = psutil.Process(self.pid)
            return process.create_time() == self.started and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def end(self) -> None:
        """Terminate it, kill it if it does not end in time, and return when it is gone."""
        with suppress(psutil.NoSuchProcess):
            if self.is_running():
                _end([psutil.Process(self.pid)])


def start(
    name: str, command: Sequence[str | Path], *, log: Path, network: Path, descriptors: Sequence[int] = ()
) -> Process:
    """Start `command` in the network namespace mounted at `network`, in a session of its own, with its output in `log`.

    Raises CommandFailed if it ends at once.
    """
    # Not `ip netns exec`, which hides the cgroup mounts. nsenter execs, so the child's id is the program's.
    with log.open("ab") as output:
        child = subprocess.Popen(
            ["nsenter", f"--net={network}", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=descriptors,
        )
    try:
        return Process(name=name, pid=child.pid, started=psutil.Process(child.pid).create_time())
    except psutil.NoSuchProcess:
        how = f"ended with status {child.wait()}"
        raise CommandFailed([str(word) for word in command], how, log.read_text(errors="replace")) from None


def end_all_in(network: Path) -> None:
    """End every process in the network namespace mounted at `network`; a file that does not exist has none."""
    _end(list(_all_in(network)))


def _end(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=END_SECONDS)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=END_SECONDS)


def _all_in(network: Path) -> Iterator[psutil.Process]:
    if not network.exists():
        return
    for process in psutil.process_iter():
        with suppress(OSError):  # the process ended meanwhile, or is the kernel's
            if os.path.samestat(network.stat(), Path(f"/proc/{process.pid}/ns/net").stat()):
                yield process
