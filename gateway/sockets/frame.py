"""Ready-made packets: built once, written to every socket as they are."""

from collections.abc import Sequence

ROOT = "/"


class Frame:
    """Engine.IO text packets, nearly always one, as the bytes that each transport wants.

    `packets` are the packets themselves (`42["name",…]`), what long-polling carries; `websocket` are
    the whole unmasked WebSocket text frames around them (RFC 6455, FIN set), for one write.
    """

    __slots__ = ("packets", "websocket")

    def __init__(self, packet: bytes) -> None:
        self.packets: tuple[bytes, ...] = (packet,)
        self.websocket = text_frame(packet)

    @classmethod
    def joined(cls, frames: Sequence["Frame"]) -> "Frame":
        """All of these in one go, in order."""
        whole = cls.__new__(cls)
        whole.packets = tuple(packet for frame in frames for packet in frame.packets)
        whole.websocket = b"".join([frame.websocket for frame in frames])
        return whole

    @classmethod
    def event(cls, body: bytes, namespace: str = ROOT) -> "Frame":
        """An event; `body` is its JSON without the brackets: `"name",{…},{…}`."""
        return cls(b"42%b[%b]" % (_prefix(namespace), body))

    @classmethod
    def ack(cls, ack_id: int, argument: bytes, namespace: str = ROOT) -> "Frame":
        """The answer to the command that carried `ack_id`; `argument` is its one JSON argument."""
        return cls(b"43%b%d[%b]" % (_prefix(namespace), ack_id, argument))

    @classmethod
    def connected(cls, connection_id: str, namespace: str = ROOT) -> "Frame":
        """The CONNECT answer: the client may send commands from now on."""
        return cls(b'40%b{"sid":"%b"}' % (_prefix(namespace), connection_id.encode()))

    @classmethod
    def refused(cls, error: bytes, namespace: str = ROOT) -> "Frame":
        """The CONNECT_ERROR; `error` is a JSON object with `message` and perhaps `data`."""
        return cls(b"44%b%b" % (_prefix(namespace), error))

    @classmethod
    def disconnected(cls, namespace: str = ROOT) -> "Frame":
        """The Socket.IO DISCONNECT, after which the official client stays away."""
        return cls(b"41%b" % _prefix(namespace))


def text_frame(payload: bytes) -> bytes:
    """`payload` as one WebSocket text frame, the way a server sends it: whole and unmasked."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def _prefix(namespace: str) -> bytes:
    return b"" if namespace == ROOT else namespace.encode() + b","
