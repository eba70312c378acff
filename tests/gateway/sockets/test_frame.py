"""Frames as the transports want them."""

import pytest
from aiohttp import WSMsgType
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_websocket import WebSocketReader

from gateway.sockets.frame import Frame


@pytest.mark.parametrize(
    ("frame", "packet"),
    [
        (Frame(b"2"), b"2"),
        (Frame.event(b'"a",{"b":1},{}'), b'42["a",{"b":1},{}]'),
        (Frame.event(b'"a"', "/admin"), b'42/admin,["a"]'),
        (Frame.ack(12, b'{"data":{}}'), b'4312[{"data":{}}]'),
        (Frame.ack(0, b"{}", "/admin"), b"43/admin,0[{}]"),
        (Frame.connected("abc"), b'40{"sid":"abc"}'),
        (Frame.connected("abc", "/admin"), b'40/admin,{"sid":"abc"}'),
        (Frame.refused(b'{"message":"no"}'), b'44{"message":"no"}'),
        (Frame.refused(b"{}", "/admin"), b"44/admin,{}"),
        (Frame.disconnected(), b"41"),
        (Frame.disconnected("/admin"), b"41/admin,"),
    ],
)
def test_packets(frame: Frame, packet: bytes) -> None:
    """Each kind of packet, in the default namespace and in another."""
    assert frame.packets == (packet,)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
async def test_a_websocket_frame_is_one_whole_text_message(size: int) -> None:
    """A reader of somebody else's making finds exactly one text message in it, at every length."""
    queue = WebSocketDataQueue(BaseProtocol(None), 1 << 20, loop=None)  # type: ignore[arg-type]
    reader = WebSocketReader(queue, 1 << 20, compress=False, decode_text=False)
    reader.feed_data(Frame(b"x" * size).websocket)
    [(message, _)] = queue._buffer
    assert (message.type, message.data) == (WSMsgType.TEXT, b"x" * size)
