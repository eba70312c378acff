"""Redis behind TLS, ended by a proxy of ours: the embedded Valkey has none."""

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from pubsub import Ask, Bucket, Limiter
from tests.certificates import Authority
from tests.proxy import Proxy
from tests.pubsub.test_bus import Party
from tests.valkeys import ValkeyCluster, ValkeyNode

pytestmark = pytest.mark.usefixtures("patient")


def secured(proxy: Proxy, authority: Authority | None, **files: object) -> str:
    """The URL by way of a proxy that speaks TLS, for somebody who trusts this authority."""
    trusted = {"ssl_ca_certs": authority.file} if authority else {}
    query = "&".join(f"{name}={file}" for name, file in (trusted | files).items())
    return f"{proxy.url.replace('redis', 'rediss', 1)}?{query}"


async def works(url: str) -> bool:
    """Whether a message comes back over the bus, and limits are asked there."""
    prefix = f"test-tls:{uuid4()}:"
    party = Party(url, prefix)
    limiter = Limiter(url, prefix=prefix)
    await party.bus.start()
    try:
        await limiter.take([Ask(Bucket("pace", 1.0, 1))])
        if limiter.away or not await party.bus.subscribe("t"):
            return False
        party.bus.publish("t", b"!")
        await party.hears("t", b"!")
        return True
    finally:
        await party.bus.close()
        await limiter.close()


async def test_a_server_that_is_trusted(redis_url: str, authority: Authority) -> None:
    """Its certificate is checked by the CA that the URL names."""
    async with Proxy.before(redis_url, tls=authority.server()) as proxy:
        assert await works(secured(proxy, authority))


async def test_a_server_that_wants_a_certificate(redis_url: str, authority: Authority) -> None:
    """Whoever has none is not let in."""
    certificate, key = authority.certificate("127.0.0.2")
    async with Proxy.before(redis_url, tls=authority.server(asks=True)) as proxy:
        assert await works(secured(proxy, authority, ssl_certfile=certificate, ssl_keyfile=key))
        assert not await works(secured(proxy, authority))


@pytest.mark.parametrize("why", ["of nobody we know", "of another server"])
async def test_a_server_that_is_not_trusted(redis_url: str, authority: Authority, why: str) -> None:
    """A certificate that nobody has signed for it is no good, and the log says so."""
    address = "127.0.0.1" if why == "of nobody we know" else "127.0.0.3"
    trusted = None if why == "of nobody we know" else authority
    async with Proxy.before(redis_url, tls=authority.server(address)) as proxy:
        with capture_logs() as logs:
            assert not await works(secured(proxy, trusted))
    told = next(log for log in logs if log["event"] == "the bus is down")
    assert "certificate verify failed" in told["error"]


async def test_a_cluster(valkey_cluster: ValkeyCluster, authority: Authority) -> None:
    """Every node of it, also those that it tells of."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(valkey_cluster.is_whole)
        proxies = []
        for node in valkey_cluster.nodes:
            proxy = await stack.enter_async_context(Proxy.before(node.url, tls=authority.server()))
            stack.push_async_callback(announces, node, 0)
            await announces(node, proxy.port)
            proxies.append(proxy)
        for node in valkey_cluster.nodes:
            while await ports_told(node) != {proxy.port for proxy in proxies}:
                await asyncio.sleep(0.05)
        first = proxies[0].url.replace("redis", "rediss+cluster", 1)
        assert await works(f"{first}?ssl_ca_certs={authority.file}")


async def announces(node: ValkeyNode, port: int) -> None:
    """Other nodes tell clients of this port; 0: of its own."""
    await node.ask("CONFIG", "SET", "cluster-announce-client-port", port)


async def ports_told(node: ValkeyNode) -> set[int]:
    slots = await node.ask("CLUSTER", "SLOTS")
    return {port for _, _, *servers in slots for _, port, *_ in servers}
