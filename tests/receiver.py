"""Somebody who is told by webhooks: an HTTP server that checks signatures, and answers as the test likes.

async with receiving() as receiver:
    receiver.answers = lambda message: 500
    ...
    await receiver.gets(3)
"""

import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.web_request import Request

from tests.listening import listening
from tests.waiting import until


@dataclass(frozen=True)
class Message:
    """A request that came."""

    id: str
    signatures: tuple[str, ...]
    body: dict[str, Any]
    raw: bytes
    timestamp: str

    @property
    def place(self) -> tuple[str, int]:
        return self.body["topic"], self.body["seq"]

    def signed_by(self, secret: str) -> bool:
        """As a receiver checks it."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.id}.{self.timestamp}.".encode() + self.raw
        made = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return f"v1,{made}" in self.signatures


class Receiver:
    """`answers` gives the status for a message; `taken` are those that got a 2xx, in order."""

    def __init__(self) -> None:
        self.answers: Callable[[Message], int] = lambda _: 204
        self.came: list[Message] = []
        self.taken: list[Message] = []
        self.url = ""

    async def gets(self, count: int, seconds: float = 60.0) -> list[Message]:
        """Wait until so many were taken."""
        await until(lambda: len(self.taken) >= count, f"{count} messages", seconds)
        return self.taken

    async def answer(self, request: Request) -> web.Response:
        raw = await request.read()
        message = Message(
            id=request.headers["webhook-id"],
            signatures=tuple(request.headers["webhook-signature"].split()),
            body=msgspec.json.decode(raw),
            raw=raw,
            timestamp=request.headers["webhook-timestamp"],
        )
        assert abs(time.time() - int(message.timestamp)) < 300
        self.came.append(message)
        status = self.answers(message)
        if 200 <= status < 300:
            self.taken.append(message)
        return web.Response(status=status, headers={"Location": "/elsewhere"})


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver at a port of its own."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.answer)
    async with listening(app) as origin:
        receiver.url = f"{origin}/hook"
        yield receiver
