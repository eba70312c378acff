"""A test that fails is run once more where pytest is told `--reruns 1`; how it failed at first is told at the end.

Docs: docs/adr/0045-a-test-that-fails-is-run-once-more.md.
"""

from typing import Any

import pytest
from pytest_rerunfailures import StatusDB


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Nothing is asked of the main process before each test: that is for tests that kill theirs, and takes 10 ms."""
    if hasattr(config, "workerinput"):
        config.failures_db.sock.close()  # type: ignore[attr-defined]
        config.failures_db = StatusDB()  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """In full, as for one that failed: a second try that went well is no reason to forget the first."""
    failed = {report.nodeid: _where(report) for report in terminalreporter.getreports("failed")}
    for report in terminalreporter.getreports("rerun"):
        if failed.get(report.nodeid) == _where(report):
            continue  # the second failure tells as much
        terminalreporter.write_sep("_", f"{report.nodeid} failed at first", red=True)
        report.toterminal(terminalreporter._tw)


def _where(report: Any) -> tuple[str, int] | str:
    """The file and the line that failed, or all that is told where nothing crashed."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return (crash.path, crash.lineno) if crash is not None else report.longreprtext
