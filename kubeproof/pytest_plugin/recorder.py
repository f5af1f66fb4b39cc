"""Keeps the verdicts of a run as they come, and writes the report at its end."""

import datetime
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from kubeproof import report
from kubeproof.access.ssh import Unreachable
from kubeproof.pytest_plugin.options import cluster_file
from kubeproof.pytest_plugin.stash import HANDOVER, SPEC
from kubeproof.results import model, store
from kubeproof.results.redaction import redact
from kubeproof.results.steps import BringUpFailed


class Recorder:
    """The results of a run, in the process that the person started; the folder is made before the first check."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._spec = config.stash[SPEC]
        self._handover = config.stash[HANDOVER]
        self._folder: Path | None = None
        self._is_written = False

    def open(self) -> None:
        """Make the run's folder of results; raises pytest.UsageError if it can't be made."""
        started = datetime.datetime.now(datetime.UTC)
        reports = self._config.getoption("kubeproof_reports").resolve()
        run = model.Run.of(self._spec, cluster_file(self._config), started, self._handover.not_judged)
        try:
            folder = store.open_folder(reports, started)
            store.append(folder, run)
        except OSError as error:
            raise pytest.UsageError(
                f"--reports: {reports} can't be written: {error.strerror}; name a folder that can"
            ) from None
        self._handover.report = folder
        self._folder = folder

    def bring_up_failed(self, failure: BringUpFailed, started: datetime.datetime) -> None:
        """Report a bring-up that failed, as one failed check."""
        facts = {"promise": "The scripts bring the spec's cluster up.", "script": failure.script, "step": failure.step}
        self._report("provision/Vagrantfile", "bring_up", "call", started, message=str(failure), **facts)

    def unreachable(self, error: Unreachable, started: datetime.datetime) -> None:
        """Report a cluster that can't be entered, as one error: no fact was seen to be wrong."""
        file, promise = str(cluster_file(self._config)), "The cluster's API answers."
        self._report(file, "reach", "setup", started, message=str(error), promise=promise)

    def _report(
        self, file: str, check: str, when: Literal["setup", "call"], started: datetime.datetime, **facts: str
    ) -> None:
        now = datetime.datetime.now(datetime.UTC)
        self._config.hook.pytest_runtest_logreport(
            report=pytest.TestReport(
                nodeid=f"{file}::{check}",
                location=(file, None, check),
                keywords={},
                outcome="failed",
                longrepr=redact(facts.pop("message")),
                when=when,
                start=started.timestamp(),
                stop=now.timestamp(),
                duration=(now - started).total_seconds(),
                user_properties=[("check", check), *facts.items()],
            )
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep each verdict as it comes."""
        facts = {str(key): str(value) for key, value in report.user_properties}
        if self._folder is None or "check" not in facts or (report.when != "call" and report.passed):
            return
        outcome: model.Outcome = "passed" if report.passed else "failed" if report.when == "call" else "error"
        facts.setdefault("message", report.longreprtext if report.failed else "")
        result = {
            "nodeid": report.nodeid,
            "outcome": outcome,
            "started": datetime.datetime.fromtimestamp(report.start, datetime.UTC),
            "seconds": report.duration,
            **facts,
        }
        with self._kept():
            store.append(self._folder, model.Result.model_validate(result))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Write the report once all is judged, while xdist's workers end."""
        result = yield
        self._write(complete=True)
        return result

    @pytest.hookimpl(trylast=True)  # xdist's ends the workers first
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write it also if the session ended early."""
        self._write(complete=exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED})

    def _write(self, *, complete: bool) -> None:
        if self._folder is None or self._is_written:
            return
        self._is_written = True
        with self._kept():
            if complete:
                store.append(self._folder, model.End(at=datetime.datetime.now(datetime.UTC)))
            report.write(self._folder)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """End the session by pytest's own way if a file can't be written in the block."""
        try:
            yield
        except OSError as error:
            folder, self._folder = self._folder, None  # there is no verdict without its reasons
            pytest.exit(
                f"NOT PROVED: the results can't be kept in {folder}: {error.strerror}; it has what was written before. "
                "Free some room, or name a folder on another disk with --reports",
                returncode=pytest.ExitCode.INTERNAL_ERROR,
            )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the verdict and the place of the report."""
        if self._folder is not None:
            terminalreporter.write_sep("=", report.verdict(self._folder))
            if self._handover.not_judged:
                count = len(self._handover.not_judged)
                terminalreporter.write_line(f"{count} checks of the inventory were not judged; the report says why")
            for check, risk in self._spec.accepted_risks.items():
                until = "was accepted until" if risk.has_run_out else "accepted until"
                terminalreporter.write_line(f"{until} {risk.until}: {check}: {risk.reason}")
            terminalreporter.write_line(f"report: {self._folder / 'report.html'}")
