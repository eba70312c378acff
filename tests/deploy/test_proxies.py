"""Three machines behind HAProxy and nginx as `deploy/` ships them: nobody is kept to a machine."""

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from gateway.http.listener import HEAD_SECONDS
from gateway.settings import read_settings
from gateway.sockets.owner import NODE_CHARACTERS
from tests.deploy.conftest import BALANCER, Machines
from tests.deploy.proxies import HAPROXY_CONFIGURATION, NGINX_CONFIGURATION, Door, Identity
from tests.nodes import Node
from tests.people import People, Person
from tests.screens import (
    NODE_POLLING,
    NODE_UPGRADED,
    NODE_WEBSOCKET,
    Json,
)
from tests.waiting import DEADLINE

OFFICIAL = (NODE_WEBSOCKET, NODE_POLLING, NODE_UPGRADED)
POSTS = "/api/v1/community/posts"
BURST = 60
"""Requests at once, of which a visitor's address may make some 20."""
COMMENTS = 10
"""Of one person, in one breath: commands come in bursts of 20."""
PROXIES = pytest.mark.parametrize("proxy", ["haproxy", "nginx"])


@asynccontextmanager
async def client(identity: Identity, address: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody at an address of their own, with a new connection for each request."""
    connector = aiohttp.TCPConnector(
        ssl=identity.trusted(), force_close=True, local_addr=(address, 0)
    )
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        yield http


@PROXIES
async def test_clients_work_over_every_transport(
    doors: dict[str, Door], people: People, proxy: str
) -> None:
    """Their requests reach any machine; commands are answered, and events arrive in order."""
    ada, *others = people.named("Ada", *(f"Watcher {number}" for number in range(12)))
    await ada.comes_to(doors[proxy])
    post = await ada.shares()
    for number, other in enumerate(others):
        await other.comes_to(doors[proxy], OFFICIAL[number % len(OFFICIAL)])
    assert len({machine_of(other) for other in others}) > 1
    await asyncio.gather(*(other.watches(post) for other in others))
    await asyncio.gather(*(other.comments(post, other.name) for other in others))
    for other in others:
        await other.screen.reaches(post["topic"], len(others))
        assert other.screen.seqs(post["topic"]) == [n + 1 for n in range(len(others))]
        assert other.screen.disconnected is None


def machine_of(person: Person) -> str:
    """The machine's name, with which those of its workers begin."""
    name: str = person.screen.ready["node"]
    return name[:NODE_CHARACTERS]


def is_at(person: Person, node: Node) -> bool:
    return person.screen.ready["node"] in node.names


@PROXIES
async def test_each_poll_may_come_over_another_connection(
    doors: dict[str, Door], identity: Identity, proxy: str
) -> None:
    """So the proxy brings them to machines in turn, and those forward them to the session's own."""
    async with client(identity, "127.0.0.1") as http:
        base = f"{doors[proxy].url}/socket.io/?EIO=4&transport=polling"
        async with http.get(base) as answer:
            base += f"&sid={json.loads((await answer.text())[1:])['sid']}"
        async with http.post(base, data="40") as answer:
            assert (answer.status, await answer.text()) == (200, "ok")
        heard = ""
        for ack in range(6):
            said = f'42{ack}["topic:unwatch",{{"topic":"gallery"}}]'
            async with http.post(base, data=said) as answer:
                assert (answer.status, await answer.text()) == (200, "ok")
            while f'43{ack}[{{"data":{{"topic":"gallery"}}}}]' not in heard:
                async with http.get(base) as answer:
                    assert answer.status == 200
                    heard += await answer.text()
                if heard.endswith("2"):  # a ping; its answer keeps the session
                    async with http.post(base, data="3") as answer:
                        assert answer.status == 200


@PROXIES
async def test_a_quiet_websocket_lives_on_pings(
    doors: dict[str, Door], identity: Identity, proxy: str
) -> None:
    """They pass in both directions, as often as the gateway asks."""
    async with client(identity, "127.0.0.1") as http:
        url = f"{doors[proxy].url}/socket.io/?EIO=4&transport=websocket"
        async with http.ws_connect(url) as websocket:
            assert (await websocket.receive_str(timeout=10)).startswith("0{")
            await websocket.send_str("40")
            pings = 0
            while pings < 3:
                if await websocket.receive_str(timeout=10) == "2":
                    pings += 1
                    await websocket.send_str("3")


def seconds(pattern: str, configuration: str) -> float:
    [given] = re.findall(rf"^\s*{pattern} (\d+)s;?$", configuration, re.MULTILINE)
    return float(given)


def test_proxies_wait_for_longer_than_the_gateway_is_silent() -> None:
    """A ping comes within its interval, and its answer within the timeout: nothing idles for longer."""
    settings = read_settings({})
    silent = settings.ping_interval + settings.ping_timeout
    haproxy, nginx = HAPROXY_CONFIGURATION.read_text(), NGINX_CONFIGURATION.read_text()
    for pattern in ("timeout client", "timeout server", "timeout tunnel"):
        assert seconds(pattern, haproxy) > silent
    for pattern in ("proxy_read_timeout", "proxy_send_timeout"):
        assert seconds(pattern, nginx) > silent
    # A connection that the gateway closes just as the proxy uses it again would be a failed request.
    assert seconds("keepalive_timeout", nginx) < HEAD_SECONDS


async def statuses(http: aiohttp.ClientSession, door: str, **headers: str) -> list[int]:
    """What a burst of a visitor's requests is answered."""

    async def one() -> int:
        async with http.get(f"{door}{POSTS}", headers=headers) as answer:
            return answer.status

    return await asyncio.gather(*(one() for _ in range(BURST)))


@PROXIES
async def test_the_client_is_the_one_that_the_proxy_saw(
    doors: dict[str, Door], machines: Machines, identity: Identity, proxy: str
) -> None:
    """Limits hold for that address on all machines; whatever else a client says of itself is worth nothing."""
    greedy, calm, stranger = (f"127.0.{number}.{len(proxy)}" for number in (1, 2, 3))
    async with client(identity, greedy) as http:
        assert 429 in await statuses(http, doors[proxy].url)
        forged = {"X-Forwarded-For": calm, "Forwarded": f"for={calm}"}
        async with http.get(f"{doors[proxy].url}{POSTS}", headers=forged) as answer:
            assert answer.status == 429
    async with client(identity, calm) as http:
        for url in (doors[proxy].url, *(node.url for node in machines.nodes)):
            async with http.get(f"{url}{POSTS}") as answer:
                assert answer.status == 200
    # Past the proxy: a peer that nobody trusts speaks for itself alone.
    async with client(identity, stranger) as http:
        url = machines.nodes[0].url
        assert 429 in await statuses(http, url, **{"X-Forwarded-For": calm})
    async with client(identity, calm) as http, http.get(f"{doors[proxy].url}{POSTS}") as answer:
        assert answer.status == 200


async def test_who_comes_without_tls_is_sent_to_it(
    doors: dict[str, Door], identity: Identity
) -> None:
    """With the method kept, and the address."""
    async with client(identity, "127.0.0.1") as http:
        for door in doors.values():
            async with http.post(f"{door.plain}{POSTS}?page=1", allow_redirects=False) as answer:
                assert answer.status == 308
                told = answer.headers["Location"]
                assert told == f"{door.plain.replace('http', 'https', 1)}{POSTS}?page=1"


async def test_the_page_of_the_proxys_address_may_connect(
    doors: dict[str, Door], identity: Identity
) -> None:
    """The gateway knows its own origin: TLS and host come from the proxy. Other pages may not."""
    async with client(identity, "127.0.0.1") as http:
        for door in doors.values():
            url = f"{door.url}/socket.io/?EIO=4&transport=polling"
            async with http.get(url, headers={"Origin": door.url}) as answer:
                assert answer.status == 200
            other = {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"}
            async with http.get(url, headers=other) as answer:
                assert answer.status == 400


async def through_balancer(door: Door, identity: Identity, balancer: str, address: str) -> bytes:
    """What a request is answered that a balancer passes on, which names the client by PROXY."""
    host, _, port = door.balanced.removeprefix("https://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), local_addr=(balancer, 0))
    try:
        writer.write(f"PROXY TCP4 {address} {host} 50000 {port}\r\n".encode())
        await asyncio.wait_for(writer.start_tls(identity.trusted(), server_hostname=host), 10)
        writer.write(f"GET {POSTS} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return (await asyncio.wait_for(reader.read(), 10)).split(b"\r\n", 1)[0]
    finally:
        writer.close()


@PROXIES
async def test_a_balancer_that_is_trusted_names_the_client(
    doors: dict[str, Door], identity: Identity, proxy: str
) -> None:
    """By the PROXY protocol. HAProxy refuses it from anybody else, nginx takes no notice of what they say."""
    door = doors[proxy]
    client_, other, liar = (f"198.51.{number}.{len(proxy)}" for number in (100, 101, 102))

    async def asks(balancer: str, address: str) -> bytes:
        return await through_balancer(door, identity, balancer, address)

    assert b" 429 " in b"".join(
        await asyncio.gather(*(asks(BALANCER, client_) for _ in range(BURST)))
    )
    assert b" 200 " in await asks(BALANCER, other)
    elsewhere = f"127.0.4.{len(proxy)}"
    if proxy == "haproxy":
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await asks(elsewhere, liar)
    else:
        said = await asyncio.gather(*(asks(elsewhere, f"198.51.103.{n}") for n in range(BURST)))
        assert b" 429 " in b"".join(said)


async def audience(people: People, door: Door, post: Json) -> list[Person]:
    """Two watchers on each transport, who come back by themselves."""
    watchers = people.named(*(str(over) for over in OFFICIAL * 2))
    for watcher, over in zip(watchers, OFFICIAL * 2, strict=True):
        await watcher.comes_to(door, over, comes_back=True)
        await watcher.watches(post)
    return watchers


async def has_all(watcher: Person, post: Json, seq: int) -> None:
    """The watcher gets to that entry: where it was, or back at another machine, from where it was."""
    screen, topic, seen = watcher.screen, post["topic"], 1

    def greetings() -> int:
        return [event.name for event in screen.events].count("session:ready")

    def happened() -> bool | None:
        return greetings() > seen or screen.seqs(topic)[-1:] == [seq] or None

    while screen.seqs(topic)[-1:] != [seq]:
        await screen.until(happened, f"entry {seq}, or another greeting")
        if greetings() > seen:
            seen = greetings()
            answer = await watcher.watches(post, screen.position(topic))
            assert answer["recovered"] is True
            screen.remember(answer)


async def test_a_machine_that_drains_is_taken_out(
    doors: dict[str, Door], machines: Machines, people: People, identity: Identity
) -> None:
    """Readiness fails first. No request fails meanwhile, everybody there comes back elsewhere and misses nothing."""
    ada, author = people.named("Ada", "Author")
    await author.comes_to(machines.nodes[0])
    post = await author.shares()
    watchers = [
        watcher for door in doors.values() for watcher in await audience(people, door, post)
    ]
    going = next(n for n, node in enumerate(machines.nodes) if is_at(watchers[0], node))
    await ada.comes_to(machines.nodes[going - 1])

    ended = asyncio.create_task(machines.nodes[going].stop(signal.SIGTERM))
    written = 0
    async with client(identity, "127.0.0.1") as http:
        while not ended.done():
            for door in doors.values():
                async with http.get(f"{door.url}/") as answer:
                    assert answer.status == 200
            if written < COMMENTS:
                written += 1
                await ada.comments(post, str(written))
    assert await ended == 0
    assert written
    await marked(doors["haproxy"], {going: "DOWN"})
    for watcher in watchers:
        await has_all(watcher, post, written)
        assert watcher.screen.seqs(post["topic"]) == list(range(1, written + 1))

    await machines.replace(going)
    await marked(doors["haproxy"], {})


async def marked(door: Door, otherwise: dict[int, str]) -> None:
    """Wait until HAProxy has marked those machines so, and the others UP."""
    wanted = {f"machine-{n + 1}": otherwise.get(n, "UP") for n in range(3)}
    async with asyncio.timeout(DEADLINE):
        while await door.marked() != wanted:
            await asyncio.sleep(0.02)
