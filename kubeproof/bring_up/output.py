"""Reads Vagrant's output: the steps that the scripts announce, and the failure that ends a bring-up."""

import datetime
import re
import threading
from collections import defaultdict, deque
from pathlib import Path

from kubeproof.process.commands import LAST_LINES
from kubeproof.results.steps import BringUpFailed, ScriptStep

TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
PREFIX = re.compile(r"^(==>)?\s+(?P<node>\S+): ")
CREATED = re.compile(r"^==> (?P<node>\S+): Waiting for machine to boot")
BOOTED = re.compile(r"^==> (?P<node>\S+): Machine booted and ready!")
ANNOUNCED = re.compile(r"^\s*(?P<node>\S+): ::step (?P<script>\S+) (?P<step>\S+) (?P<event>start|end) (?P<status>\d+)")
FAILED = re.compile(r"^\s*(?P<node>\S+): ::failed (?P<script>\S+) (?P<step>\S+) (?P<where>line \d+: .*)")
CALLED_FROM = re.compile(r"^\s+from \S+:\d+:in ")


class Output:
    """Vagrant's output about several machines, line by line, from any thread; `log` contains all of it."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._lock = threading.Lock()
        self.steps: list[ScriptStep] = []
        self._tails: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=LAST_LINES))
        self._failed: re.Match[str] | None = None
        self._booting: dict[str, str] = {}
        self._booted: set[str] = set()

    def follow(self, line: str) -> None:
        """Read one line."""
        plain = TERMINAL_CODES.sub("", line).rstrip()
        with self._lock:
            prefix = PREFIX.match(plain)
            if not CALLED_FROM.match(plain):  # the first line of Ruby's traceback names the error
                self._tails[prefix["node"] if prefix else ""].append(plain)
            self._failed = self._failed or FAILED.match(plain)
            if prefix and prefix["node"] not in self._booted:
                self._booting[prefix["node"]] = plain[prefix.end() :]
            if booted := BOOTED.match(plain):
                self._booted.add(booted["node"])
                self._booting.pop(booted["node"], None)
            if announced := ANNOUNCED.match(plain):
                self._follow_step(announced)

    def _follow_step(self, announced: re.Match[str]) -> None:
        now = datetime.datetime.now(datetime.UTC)
        name = node, script, step = announced["node"], announced["script"], announced["step"]
        if announced["event"] == "start":
            self.steps.append(ScriptStep(node=node, script=script, step=step, started=now))
            return
        for begun in self.steps:
            if (begun.node, begun.script, begun.step) == name:
                begun.ended, begun.status = now, int(announced["status"])

    @property
    def under_way(self) -> str:
        """What each machine is doing: its open step, or the last line of its boot."""
        with self._lock:
            steps = [f"{step.node}: {step.script} {step.step}" for step in self.steps if step.ended is None]
            return ", ".join([*steps, *[f"{node}: {line}" for node, line in self._booting.items()]])

    def failure(self, status: int) -> BringUpFailed:
        """The error to raise after Vagrant ended with `status`."""
        with self._lock:
            # bash does not report every failed command as an error: not the first of two that && joins.
            bad = [*[step for step in self.steps if step.status], *[s for s in self.steps[::-1] if s.ended is None]]
            script = step = node = ""
            if self._failed:
                script, step, node = self._failed["script"], self._failed["step"], self._failed["node"]
                blamed = f"{script}, step {step}, failed on {node} at {self._failed['where']}"
            elif bad:
                script, step, node = bad[0].script, bad[0].step, bad[0].node
                fate = f"ended with status {bad[0].status}" if bad[0].ended else "never ended"
                blamed = f"{script}, step {step}, {fate} on {node}"
            else:
                blamed = "no step of a script had failed"
            # The machines' lines are interleaved: quote the blamed machine, or each machine and Vagrant itself.
            tail = "\n".join(line for speaker in ([node] if node else self._tails) for line in self._tails[speaker])
            message = (
                f"`vagrant up` ended with status {status}: {blamed}.\n"
                f"The whole output: {self._log}. Its last lines:\n{tail or 'nothing'}"
            )
            reached = {step.node: (step.script, step.step) for step in self.steps}
        return BringUpFailed(message, script, step, reached)
