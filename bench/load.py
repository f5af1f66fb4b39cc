"""The share of the cores that other processes take while the bench measures: it changes all ratios of clock times."""

import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from kubeproof.process import paths

SAMPLE_SECONDS = 1.0
GROUPS = Path("/sys/fs/cgroup")


@dataclass
class Load:
    """Seconds of processor time: of the whole machine, of the bench with its lab, and as much as the cores offer.

    The machine's seconds include those that its hypervisor gave to other machines.
    """

    machine: float = 0
    own: float = 0
    offered: float = 0

    @property
    def others_share(self) -> float:
        """The share of the cores that other processes took, from 0 to 1."""
        return max(self.machine - self.own, 0) / self.offered


class _Lab(threading.Thread):
    """Adds up the processor time of the lab's machines, whose control group may come and go meanwhile."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._done = threading.Event()
        self._last, self.seconds = _of_lab(), 0.0

    def run(self) -> None:
        """Sample until stop()."""
        while not self._done.wait(SAMPLE_SECONDS):
            self._sample()

    def stop(self) -> None:
        """Take the last sample."""
        self._done.set()
        self.join()
        self._sample()

    def _sample(self) -> None:
        now = _of_lab()
        self.seconds += now - self._last if now >= self._last else now  # a new group counts from 0
        self._last = now


@contextmanager
def watched() -> Iterator[Load]:
    """The load while the block runs; it is complete once the block has ended."""
    load, lab = Load(), _Lab()
    started, machine, own = time.monotonic(), _of_machine(), _of_bench()
    lab.start()
    try:
        yield load
    finally:
        lab.stop()
        load.machine, load.own = _of_machine() - machine, _of_bench() - own + lab.seconds
        load.offered = (time.monotonic() - started) * (psutil.cpu_count() or 1)


def _of_machine() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)


def _of_bench() -> float:
    """Seconds of this process, of the descendants that ended, and of those that run and are not the lab's machines."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, OSError):
            if f":/{paths.lab()}/" not in Path(f"/proc/{process.pid}/cgroup").read_text():
                seconds += sum(process.cpu_times()[:4])  # its own and its ended children's, user and system
    return seconds


def _of_lab() -> float:
    """Seconds that the lab's control group has used: of version 1, or of version 2."""
    with suppress(OSError):
        return int((GROUPS / "cpuacct" / paths.lab() / "cpuacct.usage").read_text()) / 1e9
    with suppress(OSError):
        lines = (GROUPS / paths.lab() / "cpu.stat").read_text().splitlines()
        return int(dict(line.split() for line in lines)["usage_usec"]) / 1e6
    return 0.0
