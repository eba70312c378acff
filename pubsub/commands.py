"""Commands to whoever has their keys: they fail soon, for there is another way without Redis."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from redis.asyncio import Redis
from redis.exceptions import AskError, MovedError, NoScriptError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError

from pubsub.ending import ended
from pubsub.servers import Host, Kind, Servers, servers_at
from pubsub.slots import SlotMap, name_in, slot_of

LOOK_AGAIN_SECONDS = 0.25
"""Between two looks who has which slots, where a server does not answer."""
LATE_SECONDS = 0.05
"""For which an answer is waited for that may have come while this process was held up."""
REDIRECTIONS = 2
"""How often a command goes on to the server that has its key now."""

Command = tuple[Any, ...]
"""Its name and its arguments."""


class Script:
    """A Lua script, known to Redis by its hash."""

    def __init__(self, name: str) -> None:
        self.text = Path(__file__).with_name(name).read_text(encoding="utf-8")
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a script. All keys are of one slot."""

    keys: Sequence[str]
    arguments: Sequence[Any]


class Group(NamedTuple):
    """Keys that one script may have together, by their places among those given, and the server that has them."""

    server: str
    places: Sequence[int]


class Commands(Protocol):
    """Redis as whoever sends commands sees it, be it one server or many."""

    def groups(self, keys: Sequence[str]) -> list[Group]:
        """Which keys go together, and where."""
        ...

    def has(self, server: str) -> bool:
        """Whether it has any keys still."""
        ...

    def name_at(self, server: str, prefix: str) -> str:
        """A key that this server has."""
        ...

    async def send(self, commands: Sequence[tuple[str, Command]]) -> list[Any]:
        """The answers, in order, in one round trip to each server; to each command comes one of its keys.

        An exception, RedisError or OSError, stands in the place of an answer that could not be had.
        """
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...


def open_commands(url: str, seconds: float) -> Commands:
    """Gives up on a command after so many seconds."""
    servers = servers_at(url)
    return _Shards(servers, seconds) if servers.kind is Kind.CLUSTER else _One(servers, seconds)


async def run(redis: Commands, script: Script, calls: Sequence[Call]) -> list[Any]:
    """What the script answers to each call; an exception in its place, as by `Commands.send`.

    In one round trip, or two where a server does not know the script any more.
    """

    async def run_by(verb: str, script: str, calls: Sequence[Call]) -> list[Any]:
        return await redis.send(
            [
                (call.keys[0], (verb, script, len(call.keys), *call.keys, *call.arguments))
                for call in calls
            ]
        )

    answers = await run_by("EVALSHA", script.sha, calls)
    forgotten = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
    if forgotten:
        again = await run_by("EVAL", script.text, [calls[n] for n in forgotten])
        for n, answer in zip(forgotten, again, strict=True):
            answers[n] = answer
    return answers


async def _send(client: Redis, commands: Sequence[Command], seconds: float) -> list[Any]:
    """What one server answers within so many seconds, in one round trip."""
    try:
        async with _in_time(seconds):
            if len(commands) == 1:
                return [await client.execute_command(*commands[0])]  # type: ignore[no-untyped-call]
            pipeline = client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            return await pipeline.execute(raise_on_error=False)
    except (RedisError, OSError) as error:
        return [error] * len(commands)


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    """Raises TimeoutError after that; not where an answer came in time, and this process was held up."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as patience:
        over = loop.call_later(seconds, lambda: patience.reschedule(loop.time() + LATE_SECONDS))
        try:
            yield
        finally:
            over.cancel()


class _One:
    """One server has all keys: the URL's, or the master that its sentinels name."""

    def __init__(self, servers: Servers, seconds: float) -> None:
        if servers.kind is Kind.SENTINEL:
            pool = servers.master_pool(None, seconds)
        else:
            pool = servers.pool(servers.hosts[0], None, seconds)
        self._client: Redis = Redis.from_pool(pool)
        self._server = servers.known_as
        self._seconds = seconds

    def groups(self, keys: Sequence[str]) -> list[Group]:
        return [Group(self._server, range(len(keys)))] if keys else []

    def has(self, server: str) -> bool:
        return True

    def name_at(self, server: str, prefix: str) -> str:
        return prefix

    async def send(self, commands: Sequence[tuple[str, Command]]) -> list[Any]:
        return await _send(self._client, [command for _, command in commands], self._seconds)

    async def close(self) -> None:
        await self._client.aclose()


class _Shards:
    """A cluster: each server has the keys of its slots."""

    def __init__(self, servers: Servers, seconds: float) -> None:
        self._servers = servers
        self._seconds = seconds
        self._map = SlotMap(servers)
        self._clients: dict[Host, Redis] = {}
        self._looking: asyncio.Task[None] | None = None

    def groups(self, keys: Sequence[str]) -> list[Group]:
        by_slot: defaultdict[int, list[int]] = defaultdict(list)
        for place, key in enumerate(keys):
            by_slot[slot_of(key)].append(place)
        return [Group(_name(self._map.owners[slot]), its) for slot, its in by_slot.items()]

    def has(self, server: str) -> bool:
        return server in map(_name, set(self._map.owners))

    def name_at(self, server: str, prefix: str) -> str:
        return name_in(f"{prefix}:", lambda slot: _name(self._map.owners[slot]) == server)

    async def send(self, commands: Sequence[tuple[str, Command]]) -> list[Any]:
        if not self._map.is_known:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await self._look()
        owners = self._map.owners
        there = {n: _Where(owners[slot_of(key)]) for n, (key, _) in enumerate(commands)}
        answers: dict[int, Any] = {}
        for _ in range(REDIRECTIONS + 1):
            answers |= await self._send_to(there, commands)
            there = {
                n: _Where(answer.node_addr, not isinstance(answer, MovedError))
                for n in there
                if isinstance(answer := answers[n], AskError)
            }
            if not there:
                break
            self._look_soon()
        if any(isinstance(answer, Exception) for answer in answers.values()):
            self._look_soon()
        return [answers[n] for n in range(len(commands))]

    async def close(self) -> None:
        if self._looking is not None:
            await ended(self._looking)
        for client in self._clients.values():
            await client.aclose()

    async def _send_to(
        self, there: Mapping[int, "_Where"], commands: Sequence[tuple[str, Command]]
    ) -> dict[int, Any]:
        by_host: defaultdict[Host | None, list[int]] = defaultdict(list)
        for n, where in there.items():
            by_host[where.host].append(n)

        async def ask(host: Host | None, places: Sequence[int]) -> list[Any]:
            if host is None:
                return [RedisConnectionError("nobody has this slot")] * len(places)
            sent = []
            for n in places:
                if there[n].asking:
                    sent.append(_ASKING)
                sent.append(commands[n][1])
            answers = await _send(self._client(host), sent, self._seconds)
            return [
                answer for each, answer in zip(sent, answers, strict=True) if each is not _ASKING
            ]

        told = await asyncio.gather(*(ask(host, places) for host, places in by_host.items()))
        return {
            n: answer
            for places, answers in zip(by_host.values(), told, strict=True)
            for n, answer in zip(places, answers, strict=True)
        }

    def _client(self, host: Host) -> Redis:
        client = self._clients.get(host)
        if client is None:
            pool = self._servers.pool(host, None, self._seconds)
            client = self._clients[host] = Redis.from_pool(pool)
        return client

    def _look_soon(self) -> None:
        """Find out who has which slots now, in the background and not all the time."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_and_rest())

    async def _look_and_rest(self) -> None:
        await self._look()
        await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _look(self) -> None:
        with suppress(RedisError, OSError):
            await self._map.look()
        gone = self._clients.keys() - set(self._map.owners)
        for host in gone:
            await self._clients.pop(host).aclose()


_ASKING: Command = ("ASKING",)
"""Before a command to the server to which its slot is just going."""


class _Where(NamedTuple):
    host: Host | None
    asking: bool = False


def _name(host: Host | None) -> str:
    return "" if host is None else f"{host[0]}:{host[1]}"
