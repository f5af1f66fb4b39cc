"""Reads the lines that Vagrant prints, for the steps that the scripts announce and for the failure that ends them."""

import datetime
import re
from collections import defaultdict, deque
from pathlib import Path

from kubeproof.process.commands import LAST_LINES
from kubeproof.results.steps import BringUpFailed, ScriptStep

TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
SPEAKER = re.compile(r"^(==>)?\s+(?P<node>\S+): ")
CREATED = re.compile(r"^==> (?P<node>\S+): Waiting for machine to boot")
BOOTED = re.compile(r"^==> (?P<node>\S+): Machine booted and ready!")
ANNOUNCED = re.compile(r"^\s*(?P<node>\S+): ::step (?P<script>\S+) (?P<step>\S+) (?P<event>start|end) (?P<status>\d+)")
FAILED = re.compile(r"^\s*(?P<node>\S+): ::failed (?P<script>\S+) (?P<step>\S+) (?P<where>line \d+: .*)")
CALLED_FROM = re.compile(r"^\s+from \S+:\d+:in ")


class Output:
    """What Vagrant prints, read for the steps that the scripts announce; all of it is kept in `log`."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self.steps: list[ScriptStep] = []
        self._tails: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=LAST_LINES))
        self._failed: re.Match[str] | None = None
        self._booting: dict[str, str] = {}
        self._booted: set[str] = set()

    def follow(self, line: str) -> None:
        """Take one line in."""
        plain = TERMINAL_CODES.sub("", line).rstrip()
        speaker = SPEAKER.match(plain)
        if not CALLED_FROM.match(plain):  # where Vagrant itself breaks, its first line says at what
            self._tails[speaker["node"] if speaker else ""].append(plain)
        self._failed = self._failed or FAILED.match(plain)
        if speaker and speaker["node"] not in self._booted:
            self._booting[speaker["node"]] = plain[speaker.end() :]
        booted = BOOTED.match(plain)
        if booted:
            self._booted.add(booted["node"])
            del self._booting[booted["node"]]
        self._follow_steps(plain)

    def _follow_steps(self, plain: str) -> None:
        announced = ANNOUNCED.match(plain)
        if not announced:
            return
        now = datetime.datetime.now(datetime.UTC)
        node, script, step = announced["node"], announced["script"], announced["step"]
        if announced["event"] == "start":
            self.steps.append(ScriptStep(node=node, script=script, step=step, started=now))
            return
        for mine in (one for one in self.steps if (one.node, one.script, one.step) == (node, script, step)):
            mine.ended, mine.status = now, int(announced["status"])

    @property
    def under_way(self) -> str:
        """What is being waited for, machine by machine: a step that has begun, or what a booting one said last."""
        steps = [f"{one.node}: {one.script} {one.step}" for one in self.steps if one.ended is None]
        return ", ".join([*steps, *[f"{node}: {said}" for node, said in self._booting.items()]])

    def failure(self, status: int) -> BringUpFailed:
        """What is to be said after Vagrant ended with `status`."""
        # A status without a failure is what bash calls no error, such as the first of two commands that && joins.
        failed, ended_badly = self._failed, [step for step in self.steps if step.status]
        stopped = [*ended_badly, *[step for step in reversed(self.steps) if step.ended is None]]
        script = step = node = ""
        if failed:
            script, step, node = failed["script"], failed["step"], failed["node"]
            blamed = f"{script}, step {step}, failed on {failed['node']} at {failed['where']}"
        elif stopped:
            script, step, node = stopped[0].script, stopped[0].step, stopped[0].node
            fate = f"ended with status {stopped[0].status}" if stopped[0].ended else "never ended"
            blamed = f"{script}, step {step}, {fate} on {node}"
        else:
            blamed = "no step of a script had failed"
        # The machines speak all at once: this is what the blamed one said last, or each of them, and Vagrant itself.
        speakers = [node] if node else [*self._tails]
        said = "\n".join(line for speaker in speakers for line in self._tails[speaker]) or "nothing"
        how = f"`vagrant up` ended with status {status}: {blamed}"
        message = f"{how}.\nThe whole output: {self._log}. Its last lines:\n{said}"
        return BringUpFailed(message, script, step, {one.node: (one.script, one.step) for one in self.steps})
