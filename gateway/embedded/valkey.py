"""The embedded Valkey: messages between nodes and counters of limits, nothing that must last."""

import asyncio
import secrets
import signal
from pathlib import Path

from gateway.embedded.home import Home, valkey_program
from gateway.embedded.process import ATTEMPTS, PATIENCE, Child, free_port, stop_stale
from gateway.startup import CannotStart


class Valkey:
    """A server of our own, at `url` once started.

    It writes nothing to disk: what the gateway keeps there lives for an hour at most, and all of it
    can be made again.
    """

    def __init__(self, home: Home, log: Path) -> None:
        self._account = home.account
        self._program = valkey_program(home.account)
        self._folder = home.folder / "valkey"
        self._log = log
        self._password = secrets.token_urlsafe(24)
        self.url = ""

    @property
    def pid(self) -> int:
        """Its process, once started."""
        return self._child.pid

    async def start(self) -> None:
        """Serve, with a password of this object's own; raises CannotStart."""
        if self._folder.exists():
            await asyncio.to_thread(stop_stale, self._folder / "valkey.pid", signal.SIGTERM)
        else:
            self._account.make_folder(self._folder)
        for _ in range(ATTEMPTS):
            port, password = free_port(), self._password
            self._child = await Child.spawn(
                self._account,
                [self._program, self._configure(port, password)],
                death_signal=signal.SIGTERM,
                log=self._log,
            )
            if await self._ready(port, password):
                self.url = f"redis://:{password}@127.0.0.1:{port}/0"
                return
        raise CannotStart(
            f"the embedded Valkey did not start: {self._child.complaint} (more in {self._log})"
        )

    async def stop(self) -> None:
        """Shut it down, and forget what it held."""
        await self._child.stop(signal.SIGTERM)

    def _configure(self, port: int, password: str) -> Path:
        config = self._folder / "valkey.conf"
        self._account.write(
            config,
            f"bind 127.0.0.1\nport {port}\nrequirepass {password}\n"
            f"dir {_quoted(self._folder)}\npidfile {_quoted(self._folder / 'valkey.pid')}\n"
            'save ""\nappendonly no\n'
            "set-proc-title no\n",  # the command line is how a stale one is known
        )
        return config

    async def _ready(self, port: int, password: str) -> bool:
        """Whether it takes connections; False when it ended instead."""
        try:
            async with asyncio.timeout(PATIENCE):
                while self._child.alive:
                    if await _answers(port, password):
                        return True
                    await asyncio.sleep(0.01)
                return False
        except BaseException:
            await self._child.stop(signal.SIGTERM)
            raise


async def _answers(port: int, password: str) -> bool:
    """Whether our own server, which knows the password, listens on `port`."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    try:
        writer.write(f"AUTH {password}\r\n".encode())
        return await reader.readline() == b"+OK\r\n"
    except ConnectionError:
        return False
    finally:
        writer.close()


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
