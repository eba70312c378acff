"""Promises are put to the test by `make faults`; `make test` tests what judges them."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.faults.budget import FORM
from tests.faults.place import Place, open_place
from tests.faults.promise import Promise, Promises, table
from tests.servers import data_folder

collect_ignore = {"": ["promises", "soak"], "soak": ["promises"]}.get(FORM, ["soak"])

PROMISES = pytest.StashKey[Promises]()
KEPT = os.environ.get("FAULTS_KEPT")
"""The file in which the run is kept; None: it is not."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[PROMISES] = Promises()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    promises = config.stash[PROMISES]
    if promises.tested:
        terminalreporter.section("promises")
        terminalreporter.write_line(table(promises.rows))
        if KEPT:
            promises.keep(Path(KEPT))


@pytest.fixture
def promise(request: pytest.FixtureRequest) -> Promise:
    """The promise that the test is named after."""
    return request.config.stash[PROMISES].under_test(request.node.name, request.function.__doc__)


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    with data_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
async def only_place(servers_folder: Path) -> AsyncIterator[Place]:
    async with open_place(servers_folder) as place:
        yield place


@pytest.fixture
async def place(only_place: Place) -> AsyncIterator[Place]:
    """Servers and nodes that are well, and that have logged no error after the test."""
    await only_place.is_well()
    before = len(only_place.errors())
    yield only_place
    for station in only_place.stations:
        await station.mend()
    assert only_place.errors()[before:] == []
