"""What the edge takes for granted about the libraries it is built into.

When one of these fails after an update, read what has changed before changing the test.
"""

import inspect

import engineio
from aiohttp import web
from aiohttp._websocket.helpers import websocket_mask
from aiohttp.base_protocol import BaseProtocol
from aiohttp.web_protocol import RequestHandler
from engineio.async_drivers import aiohttp as driver
from engineio.async_socket import AsyncSocket

from gateway.sockets.engine import EngineServer
from gateway.sockets.options import SocketOptions
from gateway.sockets.owner import Owner
from gateway.sockets.session import Session
from gateway.sockets.websocket import WebSocketDriver


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_what_the_engine_overrides() -> None:
    """engineio's server calls these, with these parameters."""
    expected = {
        "handle_request": ["self", "args", "kwargs"],
        "disconnect": ["self", "sid"],
        "shutdown": ["self"],
        "generate_id": ["self"],
        "create_queue": ["self", "args", "kwargs"],
        "_handle_connect": ["self", "environ", "transport", "jsonp_index"],
        "_cors_allowed_origins": ["self", "environ"],
        "_cors_headers": ["self", "environ"],
        "_log_error_once": ["self", "message", "message_key"],
        "_ok": ["self", "packets", "headers", "jsonp_index"],
    }
    for name, signature in expected.items():
        assert parameters(getattr(engineio.AsyncServer, name)) == signature, name
        assert name in vars(EngineServer), name


def test_what_the_session_overrides() -> None:
    """engineio's server and socket call these of a session, with these parameters."""
    expected = {
        "handle_get_request": ["self", "environ"],
        "handle_post_request": ["self", "environ"],
        "close": ["self", "wait", "abort", "reason"],
        "schedule_ping": ["self"],
        "_websocket_handler": ["self", "ws"],
    }
    for name, signature in expected.items():
        assert parameters(getattr(AsyncSocket, name)) == signature, name
        assert name in vars(Session), name
    assert parameters(AsyncSocket._upgrade_websocket) == ["self", "environ"]


def test_the_table_of_the_driver_is_copied() -> None:
    """The driver's table has the entries that we replace, and another server's stays as it is."""
    before = dict(driver._async)
    ours = EngineServer(SocketOptions(), lambda session: None, Owner("node", 0, 0))  # type: ignore[arg-type, return-value]
    assert (
        set(ours._async)
        == set(before)
        == {
            "asyncio",
            "create_route",
            "translate_request",
            "make_response",
            "websocket",
        }
    )
    assert ours._async["websocket"] is WebSocketDriver
    assert driver._async == before
    assert engineio.AsyncServer(async_mode="aiohttp")._async is driver._async


def test_a_connection_can_be_taken_from_aiohttp() -> None:
    """aiohttp's handler has the fields and the call by which it lets go of its transport."""
    assert "transport" in BaseProtocol.__slots__
    assert "_message_tail" in RequestHandler.__slots__
    assert parameters(RequestHandler.connection_lost) == ["self", "exc"]
    assert parameters(web.StreamResponse.prepare) == ["self", "request"]
    source = inspect.getsource(RequestHandler.connection_lost)
    assert "self.force_close()" in source
    assert "if self.transport is not None" in inspect.getsource(RequestHandler.force_close)


def test_unmasking() -> None:
    """aiohttp's masking works in place on a bytearray."""
    data = bytearray(b"\x01\x02\x03\x04\x05")
    websocket_mask(b"\x01\x02\x03\x04", data)
    assert data == b"\x00\x00\x00\x00\x04"
