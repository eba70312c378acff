"""Commands that nothing has to be waited for, which are answered as they are read."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from gateway.sockets.application import Connection
from gateway.sockets.client import AT_ONCE
from tests.gateway.sockets.edge import Echo, Poller, Speaker, edge, masked, until

on_both_transports = pytest.mark.parametrize("websocket", [True, False])


def at_once(application: Echo) -> list[Any]:
    """The arguments of the commands that were answered at once, in order."""
    return [entry[2] for entry in application.log if entry[0] == "at once"]


async def says_in_one_breath(client: Speaker | Poller, *packets: str) -> None:
    """Send packets in one segment, or in one payload."""
    if isinstance(client, Poller):
        await client.says(*packets)
    else:
        transport = client.ws._writer.transport
        transport.write(b"".join(masked(packet.encode()) for packet in packets))


@on_both_transports
async def test_what_waits_for_nothing_is_answered_at_once(websocket: bool) -> None:
    """The answer is an ack like any other, and there is none where none was asked for."""
    async with edge() as served, served.client(websocket=websocket) as client:
        assert await client.asks("now", {"n": 1}, ack_id=7) == {"n": 1}
        await client.says('42["now",2]', '42["message",3]')
        await client.hears(r'42\["message-back",3\]')
        assert at_once(served.application) == [{"n": 1}, 2]
        assert served.application.commands == [("message", 3)]


@on_both_transports
async def test_nothing_is_answered_before_what_was_sent_before(websocket: bool) -> None:
    """While a command is in hand, or waits, all that follows waits for its turn."""
    async with edge() as served, served.client(websocket=websocket) as client:
        application = served.application
        application.gate.clear()
        await says_in_one_breath(client, '421["wait",1]', '422["now",2]', '423["message",3]')
        await until(lambda: application.running)
        application.gate.set()
        for answer in (r"431\[", r"432\[", r'42\["message-back",3\]', r"433\["):
            await client.hears(answer)
        assert application.commands == [("wait", 1), ("now", 2), ("message", 3)]
        assert at_once(application) == []
        assert await client.asks("now", 5) == 5
        assert at_once(application) == [5]


@on_both_transports
async def test_nobody_is_answered_before_they_are_in(websocket: bool) -> None:
    """What comes along with the wish to come in is a command once that is granted, and nothing if it is not."""
    application = Echo()
    application.door.clear()
    async with edge(application) as served:
        if websocket:
            _, writer = await served.raw_websocket()
            writer.write(masked(b"40") + masked(b'421["now",1]'))
        else:
            poller = await served.poller()
            await poller.says("40", '421["now",1]')
        await until(lambda: application.connecting)
        application.door.set()
        await until(lambda: application.commands)
        assert application.commands == [("now", 1)]
        assert at_once(application) == []
        if websocket:
            writer.close()


@on_both_transports
async def test_a_fault_on_the_way_is_answered_as_internal(
    websocket: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets to know no more than that, the log has the rest, and the session goes on."""
    async with edge() as served, served.client(websocket=websocket) as client:
        await client.says('421["trip"]')
        answer = json.loads((await client.hears(r"431\["))[3:])[0]
        assert answer["error"]["code"] == "INTERNAL"
        assert [record.message for record in caplog.records] == ["command failed"]
        assert await client.asks("now", 2) == 2


class Passing(Echo):
    """Counts the commands that were answered at once between one pass of the loop and the next."""

    def __init__(self) -> None:
        super().__init__()
        self.in_this_pass = self.most_in_a_pass = 0

    def at_once(
        self, connection: Connection, event: str, payload: msgspec.Raw | None
    ) -> bytes | None:
        if not self.in_this_pass:
            asyncio.get_running_loop().call_soon(self._passed)
        self.in_this_pass += 1
        self.most_in_a_pass = max(self.most_in_a_pass, self.in_this_pass)
        return super().at_once(connection, event, payload)

    def _passed(self) -> None:
        self.in_this_pass = 0


async def test_a_flood_of_them_lets_others_have_their_turn() -> None:
    """After so many in a row the next waits in the inbox, and the order stays as it was."""
    application = Passing()
    async with edge(application) as served, served.client(websocket=True) as client:
        count = 10 * AT_ONCE
        await says_in_one_breath(client, *(f'42{n}["now",{n}]' for n in range(count)))
        for n in range(count):
            await client.hears(rf"43{n}\[")
        assert application.commands
        assert application.most_in_a_pass <= AT_ONCE
        done = [entry[2] for entry in application.log if entry[0] in ("at once", "command")]
        assert done == [*range(count)]
