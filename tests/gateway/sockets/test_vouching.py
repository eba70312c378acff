"""Whom a forwarded request comes from is believed only if another worker says so."""

from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from gateway.sockets.forwarding import MARKER, Vouching

SID = "/socket.io/?EIO=4&transport=polling&sid=aaaaaaaaaaaaaaaaaaaa"
ours, others = Vouching("a secret of ours"), Vouching("a guess")


def marked(*markers: str, path: str = SID, method: str = "GET"):  # type: ignore[no-untyped-def]
    headers = CIMultiDict({"X-Other": "stays"})
    for marker in markers:
        headers.add(MARKER, marker)
    return make_mocked_request(method, path, headers)


GENUINE = ours.mark(make_mocked_request("GET", SID).clone(remote="192.0.2.7"))


def test_a_worker_is_believed() -> None:
    """The request then comes from the client's address, and nothing of the marker is left."""
    request, forwarded = ours.believed(marked(GENUINE))
    assert forwarded
    assert request.remote == "192.0.2.7"
    assert MARKER not in request.headers
    assert request.headers["X-Other"] == "stays"


def test_forged_markers_are_stripped() -> None:
    """Whoever has not the secret, or uses a marker for something else, is a client like any other."""
    proof = GENUINE.partition(" ")[2]
    forged = [
        marked(others.mark(make_mocked_request("GET", SID).clone(remote="192.0.2.7"))),
        marked(f"192.0.2.8 {proof}"),
        marked(f"no-address {proof}"),
        marked("192.0.2.7"),
        marked(""),
        marked("192.0.2.7 é"),
        marked(GENUINE, GENUINE),
        marked(GENUINE, path=SID.replace("a", "b")),
        marked(GENUINE, method="POST"),
    ]
    for each in forged:
        peer = each.remote
        request, forwarded = ours.believed(each)
        assert not forwarded
        assert request.remote == peer != "192.0.2.7"
        assert MARKER not in request.headers


def test_most_requests_have_none() -> None:
    """They stay as they are."""
    request = marked()
    assert ours.believed(request) == (request, False)
