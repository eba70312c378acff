"""The launcher: as many workers as were asked for, on one port, until it is told to end."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import structlog

from gateway.launcher.admin import Admin
from gateway.launcher.assignment import Assignment
from gateway.launcher.ports import Port
from gateway.launcher.slot import Slot
from gateway.launcher.worker import Worker, WorkerFailed
from gateway.settings import SECRET_BYTES, Settings
from gateway.sockets.owner import Owner, new_node
from gateway.startup import CannotStart

LONGEST_SOCKET_PATH = 107
"""Characters; Linux takes no more, and other systems a few less."""

_log = structlog.get_logger(__name__)


async def launch(settings: Settings, *, on_ready: Callable[[Settings], None]) -> None:
    """Run the machine's workers until the task is cancelled; then they are drained.

    `on_ready` gets the settings with the ports as they are, once all workers serve. SIGHUP restarts the
    workers, one at a time. Raises CannotStart where a first worker does not come to serve.
    """
    with _folder() as folder:
        port = Port(settings.host, settings.port)
        node, secret = new_node(), token_hex(SECRET_BYTES)
        environ = {**os.environ, **settings.environment()}

        async def spawn(slot: int, generation: int, listening: Sequence[int]) -> Worker:
            assignment = Assignment(
                launcher=os.getpid(),
                owner=Owner(node, slot, generation),
                workers=settings.workers,
                listening=listening,
                secret=secret,
                folder=folder,
            )
            return await Worker.spawn(assignment, environ)

        slots = [Slot(number, port, spawn) for number in range(settings.workers)]
        admin = Admin(slots, node)
        try:
            async with admin.serving(settings.admin_host, settings.admin_port) as admin_port:
                try:
                    await _fill(slots)
                    _log.info(
                        "serving", port=port.number, admin_port=admin_port, workers=len(slots)
                    )
                    on_ready(settings.filled("as it is", port=port.number, admin_port=admin_port))
                    await _keep(slots)
                finally:
                    admin.drain()
                    await asyncio.gather(*(slot.clear() for slot in slots))
        finally:
            port.close()


async def _fill(slots: Sequence[Slot]) -> None:
    """Have a worker serve in each slot; the first that cannot says why."""
    filling = [asyncio.create_task(slot.fill()) for slot in slots]
    try:
        for each in asyncio.as_completed(filling):
            await each
    except WorkerFailed as error:
        raise CannotStart(str(error)) from error
    finally:
        for task in filling:
            task.cancel()
        await asyncio.gather(*filling, return_exceptions=True)


async def _keep(slots: Sequence[Slot]) -> None:
    """Restart who dies, and at SIGHUP everybody, for as long as the task lives."""
    renewal = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, renewal.set)
    try:
        async with asyncio.TaskGroup() as group:
            for slot in slots:
                group.create_task(slot.keep())
            group.create_task(_renew(slots, renewal))
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


async def _renew(slots: Sequence[Slot], asked: asyncio.Event) -> None:
    """Restart the workers one at a time whenever that is asked for."""
    while True:
        await asked.wait()
        asked.clear()
        try:
            for slot in slots:
                await slot.renew()
                _log.info("worker renewed", slot=slot.number)
        except WorkerFailed as error:
            _log.error("rolling restart given up: the other workers stay", why=str(error))


@contextmanager
def _folder() -> Iterator[str]:
    """A folder for the workers' private sockets, that only our account can enter."""
    longest = "/".join(("", "000.00", "handover"))
    for place in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 (mkdtemp makes it safe)
        folder = Path(tempfile.mkdtemp(prefix="vernissage-", dir=place))
        if len(str(folder) + longest) <= LONGEST_SOCKET_PATH:
            break
        folder.rmdir()
    else:
        raise CannotStart("no temporary folder has a path short enough for a socket: set TMPDIR")
    try:
        yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
