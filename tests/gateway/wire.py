"""HTTP/1.1 byte by byte, for what no client library would send."""

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec
from multidict import CIMultiDict

DEADLINE = 10.0
"""Seconds within which an answer has to be there, and the connection closed after it."""


@dataclass(frozen=True)
class Answer:
    """What came back on a connection that was closed afterwards."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        """The code of a refusal, which has to be a problem of RFC 9457 from end to end."""
        assert self.headers["Content-Type"] == "application/problem+json"
        problem = self.json
        assert ("retry_after" in problem) == ("Retry-After" in self.headers)
        assert set(problem) - {"retry_after"} == {
            *("type", "title", "status", "detail", "code", "details", "request_id")
        }
        assert problem["status"] == self.status
        assert problem["request_id"] == self.headers["X-Request-Id"]
        code: str = problem["code"]
        return code


class Wire:
    """Whatever listens on this port."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def send(self, *parts: bytes) -> Answer:
        """Send these bytes, each part as a segment of its own, and read until the other end closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            async with asyncio.timeout(DEADLINE):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                answer = await reader.read(-1)
        finally:
            writer.close()
        return parsed(answer)

    async def ask(
        self, method: str, path: str, *headers: str, body: bytes | None = None, token: str = ""
    ) -> Answer:
        """An ordinary request, but for what is strange about it."""
        lines = [f"{method} {path} HTTP/1.1", "Host: gallery.test", "Connection: close", *headers]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
            if not any(line.lower().startswith("content-type:") for line in headers):
                lines.append("Content-Type: application/json")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return await self.send(head + (body or b""))


def parsed(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    if line == "HTTP/1.1 100 Continue":
        return parsed(body)
    headers: CIMultiDict[str] = CIMultiDict()
    for field in fields:
        name, _, value = field.partition(":")
        headers.add(name, value.strip())
    return Answer(int(line.split()[1]), headers, body)
