"""Several sockets on one port, which nobody else gets meanwhile."""

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from gateway.launcher.ports import UNSENT_BYTES, Port, check_free
from gateway.startup import CannotStart

LOOPBACK = "127.0.0.1"
PLENTY = 64 << 20
MARGIN = 128 * 1024
"""What is on its way, and the kernel's own measure."""


@pytest.fixture
def port() -> Iterator[Port]:
    port = Port(LOOPBACK, 0)
    yield port
    port.close()


def listening(port: Port) -> list[socket.socket]:
    sockets = port.sockets()
    for each in sockets:
        each.listen(8)
        each.settimeout(5)
    return sockets


def test_all_sockets_share_the_port_that_was_got(port: Port) -> None:
    """With port 0 too."""
    pairs = [listening(port) for _ in range(3)]
    assert {each.getsockname()[1] for pair in pairs for each in pair} == {port.number}
    for pair in pairs:
        for each in pair:
            each.close()


def test_the_kernel_keeps_little_for_a_client_that_does_not_read(port: Port) -> None:
    """So that the gateway hears of it, and 1,000 of them cost no gigabytes."""
    (one,) = listening(port)
    with socket.create_connection((LOOPBACK, port.number)) as client, one.accept()[0] as accepted:
        accepted.setblocking(False)
        unread = 0
        with suppress(BlockingIOError):
            while unread < PLENTY:
                unread += accepted.send(bytes(16 * 1024))
        room = client.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert UNSENT_BYTES < unread <= room + UNSENT_BYTES + MARGIN
    one.close()


def test_a_second_start_is_told_that_the_port_is_in_use(port: Port) -> None:
    """Though it could share it, had it asked the kernel only as sharers do."""
    (one,) = listening(port)
    with pytest.raises(CannotStart, match=f"port {port.number} on {LOOPBACK} is in use"):
        Port(LOOPBACK, port.number)
    one.close()


def test_connections_of_a_run_before_are_not_in_the_way(port: Port) -> None:
    """A port is free as soon as nobody listens on it."""
    (one,) = listening(port)
    client = socket.create_connection((LOOPBACK, port.number))
    server, _ = one.accept()
    one.close()
    check_free(LOOPBACK, port.number)
    server.close()
    client.close()


def test_a_host_may_have_several_addresses() -> None:
    """`localhost` is two where there is IPv6: each worker gets a socket at each."""
    port = Port("localhost", 0)
    sockets = port.sockets()
    families = {info[0] for info in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)}
    assert {each.family for each in sockets} == families
    assert {each.getsockname()[1] for each in sockets} == {port.number}
    for each in sockets:
        each.close()
    port.close()


def test_an_address_of_another_machine_is_refused_in_one_line() -> None:
    with pytest.raises(CannotStart, match=r"port 8080 on 192\.0\.2\.1 cannot be had: "):
        Port("192.0.2.1", 8080)
