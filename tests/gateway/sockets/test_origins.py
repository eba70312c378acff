"""Pages of other sites: an exact list, for long-polling and WebSocket alike."""

from ipaddress import ip_network

import aiohttp
import pytest

from tests.gateway.sockets.edge import Speaker, edge

FRIEND = "https://gallery.example"


@pytest.mark.parametrize("origin", [FRIEND, None, "own"])
async def test_an_allowed_page(origin: str | None) -> None:
    """A page of the list, of the gateway itself, and what is no page at all, may connect."""
    async with edge(origins=(FRIEND,)) as server:
        headers = {} if origin is None else {"Origin": server.url if origin == "own" else origin}
        url = f"{server.url}/socket.io/?EIO=4&transport=polling"
        async with server.http.get(url, headers=headers) as response:
            assert response.status == 200
            assert response.headers.get("Access-Control-Allow-Origin") == headers.get("Origin")
            assert response.headers["Vary"] == "Origin"
            assert "Access-Control-Allow-Credentials" not in response.headers
        async with server.websocket(**headers) as ws:
            await Speaker(ws).hears("0")


@pytest.mark.parametrize("origin", ["https://evil.example", "http://gallery.example", "null"])
async def test_a_page_that_is_not_allowed(origin: str) -> None:
    """Any other page is refused at the door: the polls, the posts, the WebSocket, the preflight."""
    async with edge(origins=(FRIEND,)) as server:
        poller = await server.poller()
        for method, query in [
            ("GET", "EIO=4&transport=polling"),
            ("GET", poller.query),
            ("POST", poller.query),
            ("OPTIONS", poller.query),
        ]:
            assert (await server.request(method, query, Origin=origin))[0] == 400
        for query in ("EIO=4&transport=websocket", f"EIO=4&transport=websocket&sid={poller.sid}"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with server.websocket(query, Origin=origin):
                    pass
            assert refused.value.status == 400
        assert len(server.sessions) == 1


async def test_a_preflight() -> None:
    """A browser that asks first learns what it may send."""
    async with edge(origins=(FRIEND,)) as server:
        headers = {
            "Origin": FRIEND,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        }
        url = f"{server.url}/socket.io/?EIO=4&transport=polling"
        async with server.http.options(url, headers=headers) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == FRIEND
            assert "POST" in response.headers["Access-Control-Allow-Methods"]
            assert response.headers["Access-Control-Allow-Headers"] == "content-type"


async def test_the_address_of_a_connection() -> None:
    """A connection's address is the peer's, or what a trusted proxy says."""
    forwarded = {"X-Forwarded-For": "198.51.100.1"}
    for trusted, address in [((), "127.0.0.1"), ((ip_network("127.0.0.0/8"),), "198.51.100.1")]:
        async with edge(trusted_proxies=trusted) as server, server.websocket(**forwarded) as ws:
            client = Speaker(ws)
            await client.hears("0")
            await client.says("40")
            await client.greeted()
            assert [c.address for c in server.application.inside.values()] == [address]
