"""The clients count what a server sends, whatever it is, and say what is wrong with it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.sockets.frame import Frame
from load.fleet import fleet
from load.scenarios.running import until
from load.swarm import Address, Guest, Kind, Tally

CLIENTS = 3


def frame(seq: int) -> bytes:
    return Frame.event(b'"a",{},{"topic":"post:1","seq":%d,"at":""}' % seq).websocket


@contextmanager
def sends(*seqs: int, then_close: bool = False) -> Iterator[Address]:
    """A server that sends each client these events."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            clients = [listener.accept()[0] for _ in range(CLIENTS)]
            for seq in seqs:
                for client in clients:
                    client.sendall(frame(seq))
            for client in clients:
                if not then_close:
                    client.recv(1)
                client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield Address("127.0.0.1", listener.getsockname()[1])
        thread.join(10)
        assert not thread.is_alive()


def tally_of(address: Address, events: int, *, lost: int = 0) -> Tally:
    with fleet(1) as crowd:
        crowd.begin()
        opened = crowd.open([Guest(address, kind=Kind.RAW)] * CLIENTS)
        assert opened.entered == CLIENTS
        assert until(lambda: crowd.progress().events >= events, 10)
        assert until(lambda: crowd.progress().lost >= lost, 10)
        return crowd.tally()


def test_every_delivery_is_counted() -> None:
    """Each event at each client counts once."""
    with sends(1, 2, 3) as address:
        tally = tally_of(address, 3 * CLIENTS)
    assert (tally.events, tally.repeated, tally.skipped, tally.lost) == (9, 0, 0, 0)


def test_a_hole_is_seen_at_every_client() -> None:
    """Numbers that a server leaves out are counted."""
    with sends(1, 2, 5) as address:
        tally = tally_of(address, 3 * CLIENTS)
    assert (tally.repeated, tally.skipped) == (0, 2 * CLIENTS)


def test_an_event_that_comes_twice_is_seen_at_every_client() -> None:
    """So is one that comes again, or too late."""
    with sends(1, 2, 2) as address:
        tally = tally_of(address, 3 * CLIENTS)
    assert tally.repeated == CLIENTS


def test_a_connection_that_the_server_closes_is_lost() -> None:
    """Who is thrown out says so."""
    with sends(1, then_close=True) as address:
        tally = tally_of(address, CLIENTS, lost=CLIENTS)
    assert tally.faults == {"closed by the server": CLIENTS}
