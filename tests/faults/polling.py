"""A light client over HTTP long-polling."""

import asyncio
import json
import time
from contextlib import suppress
from typing import Any

import aiohttp

from tests.faults.history import Heard

SEPARATOR = "\x1e"


class Poller:
    """Watches one topic for as long as its session lasts, and does not come back."""

    def __init__(
        self, name: str, http: aiohttp.ClientSession, door: str, token: str, topic: str
    ) -> None:
        self.name = name
        self._http = http
        self._url = f"{door}/socket.io/?EIO=4&transport=polling"
        self._token = token
        self._topic = topic
        self._heard: list[Heard] = []
        self._watching = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def enters(self) -> None:
        """Come in and watch."""
        async with self._http.get(self._url) as answer:
            opened = json.loads((await answer.text())[1:])
        self._url += f"&sid={opened['sid']}"
        await self._say("40" + json.dumps({"token": self._token}))
        self._task = asyncio.create_task(self._poll())
        await asyncio.wait_for(self._watching.wait(), 10)

    async def leaves(self) -> None:
        """Poll no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def heard(self, topic: str) -> list[Heard]:
        """What it was told of its topic, beginning with the first poll."""
        return self._heard if topic == self._topic else []

    async def _say(self, packet: str) -> bool:
        async with self._http.post(self._url, data=packet) as answer:
            return answer.status == 200

    async def _poll(self) -> None:
        with suppress(aiohttp.ClientError):
            while True:
                async with self._http.get(self._url) as answer:
                    if answer.status != 200:
                        return
                    packets = (await answer.text()).split(SEPARATOR)
                for packet in packets:
                    await self._take(packet)

    async def _take(self, packet: str) -> None:
        if packet == "2":
            await self._say("3")
        elif packet.startswith("430["):
            self._watching.set()
        elif packet.startswith("42"):
            name, _, meta = json.loads(packet[2:])
            if name == "session:ready":
                watch: list[Any] = ["topic:watch", {"topic": self._topic}]
                await self._say("420" + json.dumps(watch))
            elif meta.get("topic") == self._topic and meta.get("seq") is not None:
                self._heard.append(Heard(meta["seq"], name, time.time()))
