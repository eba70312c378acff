"""When all come back at once the database hardly notices."""

import asyncio
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import asyncpg

from store.queries import queries
from tests.nodes import Installation, Node
from tests.people import People, mint

CLIENTS = 400
STATEMENTS = CLIENTS // 100
"""One query for a hundred clients, at connect and watch (promises.md, P14)."""
STATEMENTS_A_SECOND = 2
"""However long the crowd takes on a busy machine: heads are compared, and rounds of questions begin."""
COLD_STATEMENTS = CLIENTS // 20
"""At a node that has seen none of them before: users come into being, topics are opened."""
OF_THE_NODE = {
    text.partition("\n")[0]
    for file in (
        *("jobs/runs", "nodes/registry", "journal/partitions", "idempotency/keys"),
        *("consumers/positions", "webhooks/endpoints", "webhooks/messages"),
        *("gallery/outside", "gallery/passing", "gallery/standings", "gallery/trending"),
    )
    for text in queries(file).values()
}
"""What is asked without any client, as the log shows it."""
_ANSWER = re.compile(r"43\d+\[(.*)\]", re.DOTALL)


class Crowd:
    """Users with a WebSocket each, who all watch the same post."""

    def __init__(self, http: aiohttp.ClientSession, node: Node, topic: str) -> None:
        self._http = http
        self._url = f"{node.url}/socket.io/?EIO=4&transport=websocket"
        self._topic = topic
        self._tokens = [mint(str(uuid4())) for _ in range(CLIENTS)]
        self._sockets: Sequence[aiohttp.ClientWebSocketResponse] = []

    async def comes(self) -> float:
        """All connect and watch at once, whatever their handshakes took; how many seconds that took."""
        self._sockets = await asyncio.gather(*(self._open() for _ in self._tokens))
        begun = time.monotonic()
        await asyncio.gather(*map(self._come, self._sockets, self._tokens))
        return time.monotonic() - begun

    async def is_cut_off(self) -> None:
        """All connections break at once, without a goodbye."""
        for socket in self._sockets:
            transport = socket.get_extra_info("socket")
            assert transport is not None
            socket._response.connection.transport.abort()  # type: ignore[union-attr]

    async def _open(self) -> aiohttp.ClientWebSocketResponse:
        socket = await self._http.ws_connect(self._url, autoclose=False)
        await socket.receive_str()
        return socket

    async def _come(self, socket: aiohttp.ClientWebSocketResponse, token: str) -> None:
        await socket.send_str("40" + json.dumps({"token": token}))
        await socket.send_str('421["topic:watch",' + json.dumps({"topic": self._topic}) + "]")
        while True:
            packet = await socket.receive_str()
            if (answer := _ANSWER.fullmatch(packet)) is not None:
                assert "data" in json.loads(answer[1]), packet
                return


class Statements:
    """What PostgreSQL logs of one database: the queries of ours that clients cause."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._begins_at = 0

    def begin(self) -> None:
        self._begins_at = self._log.stat().st_size

    @property
    def seen(self) -> list[str]:
        """The statements since then, each as the beginning of its text."""
        with self._log.open("rb") as log:
            log.seek(self._begins_at)
            lines = log.read().decode(errors="replace").splitlines()
        found = (re.search(r"LOG:  execute \S+: (-- .*)", line) for line in lines)
        return [match[1] for match in found if match and match[1] not in OF_THE_NODE]


async def test_a_crowd_that_was_cut_off_comes_back_with_few_queries(
    installation: Installation, people: People, superuser_url: str, servers_dir: Path
) -> None:
    """Users, heads and rights are asked for together; what was known a moment ago is not asked again."""
    name = urlsplit(installation.database_url).path.removeprefix("/")
    admin = await asyncpg.connect(superuser_url)
    try:
        await admin.execute(f"alter database {name} set log_statement = 'all'")
    finally:
        await admin.close()
    node = await installation.start(rate_limits="1000")
    (ada,) = people.named("Ada")
    await ada.comes_to(node)
    post = await ada.shares()
    statements = Statements(servers_dir / "postgres.log")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        crowd = Crowd(http, node, post["topic"])
        statements.begin()
        await crowd.comes()
        cold = statements.seen
        await crowd.is_cut_off()
        statements.begin()
        seconds = await crowd.comes()
        asked = statements.seen
        await crowd.is_cut_off()
    assert 2 <= len(cold) <= COLD_STATEMENTS, cold
    assert len(asked) <= STATEMENTS + STATEMENTS_A_SECOND * seconds, asked
