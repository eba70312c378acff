"""`--second-try`: a test that fails is run once more, and how it failed at first is told at the end.

The second try begins with nothing that the first one may have left: servers, databases and browsers are new.

Docs: docs/adr/0045-a-test-that-fails-is-run-once-more.md.
"""

from functools import partial
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

AGAIN = "rerun"
"""The outcome of a first try that failed: the closing line counts these."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--second-try", action="store_true", help="run a test that failed once more, on new servers"
    )


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run one test, and run it again where it failed; None where nobody asked for that."""
    if not item.config.option.second_try:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    if any(report.failed for report in reports):
        for report in (*reports, _end_all_fixtures(item)):
            if report.failed:
                report.outcome = AGAIN  # type: ignore[assignment]
            item.ihook.pytest_runtest_logreport(report=report)
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _end_all_fixtures(item: pytest.Item) -> pytest.TestReport:
    """Those for the module and for all tests, too."""
    ending = partial(item.session._setupstate.teardown_exact, None)
    call = pytest.CallInfo.from_call(ending, when="teardown")
    report: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=call)
    return report


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """How a first try that failed is counted and shown."""
    return (AGAIN, "R", "RERUN") if report.outcome == AGAIN else None  # type: ignore[comparison-overlap]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """In full, as for one that failed: a second try that went well is no reason to forget the first."""
    failed = {report.nodeid: _where(report) for report in terminalreporter.getreports("failed")}
    for report in terminalreporter.getreports(AGAIN):
        if failed.get(report.nodeid) == _where(report):
            continue  # the second failure tells as much
        terminalreporter.write_sep("_", f"{report.nodeid} failed at first", red=True)
        report.toterminal(terminalreporter._tw)


def _where(report: Any) -> tuple[str, int] | str:
    """The file and the line that failed, or all that is told where nothing crashed."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return (crash.path, crash.lineno) if crash is not None else report.longreprtext
