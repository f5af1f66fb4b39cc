"""The lab's own long-lived processes: started apart from the run, known by id and start time, ended by both."""

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
    """A process that outlives the run; `started` keeps a reused id from being taken for it."""

    name: str
    pid: int
    started: float

    def is_running(self) -> bool:
        """Whether this very process, and no later one of the same id, still runs."""
        try:
            process = psutil.Process(self.pid)
            return process.create_time() == self.started and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def end(self) -> None:
        """Ask it to end, then make it; return when it is gone."""
        if not self.is_running():
            return
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(END_SECONDS)


def start(
    name: str, command: Sequence[str | Path], *, log: Path, network: Path, descriptors: Sequence[int] = ()
) -> Process:
    """Start `command` in the network namespace mounted at `network`, in a session of its own, with its output in `log`.

    nsenter, not `ip netns exec`: the latter hides the cgroup mounts. It execs, so the id is the program's own.
    """
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
    """End every process whose network is the namespace mounted there, a lab's own; none if there is no such."""
    ours = list(_all_in(network))
    for process in ours:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, still = psutil.wait_procs(ours, timeout=END_SECONDS)
    for process in still:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(still, timeout=END_SECONDS)


def _all_in(network: Path) -> Iterator[psutil.Process]:
    if not network.exists():
        return
    for process in psutil.process_iter():
        with suppress(OSError):  # it ended meanwhile, or is the kernel's
            if os.path.samestat(network.stat(), Path(f"/proc/{process.pid}/ns/net").stat()):
                yield process
