"""What REDIS_URL may be, and what it means."""

from pathlib import Path

import pytest

from pubsub.servers import Kind, servers_at


@pytest.mark.parametrize(
    ("url", "kind", "hosts", "tls", "name"),
    [
        ("redis://one", Kind.ONE, [("one", 6379)], False, ""),
        ("redis://one:7000/3", Kind.ONE, [("one", 7000)], False, ""),
        ("rediss://[::1]:7000", Kind.ONE, [("::1", 7000)], True, ""),
        ("redis+cluster://a,b:7000", Kind.CLUSTER, [("a", 6379), ("b", 7000)], False, ""),
        ("rediss+cluster://a:1/0", Kind.CLUSTER, [("a", 1)], True, ""),
        ("redis+sentinel://a,b:1/main", Kind.SENTINEL, [("a", 26379), ("b", 1)], False, "main"),
        ("rediss+sentinel://a/my%20main/2", Kind.SENTINEL, [("a", 26379)], True, "my main"),
    ],
)
def test_a_url_says_how_servers_belong_together(
    url: str, kind: Kind, hosts: list[tuple[str, int]], tls: bool, name: str
) -> None:
    """And where they are: ports have defaults."""
    servers = servers_at(url)
    assert (servers.kind, [*servers.hosts], servers.tls) == (kind, hosts, tls)
    assert servers.name == name


def test_a_url_says_who_one_is(tmp_path: Path) -> None:
    """User, password, database and files are of every connection; nothing secret is shown."""
    ca = tmp_path / "ca.pem"
    ca.touch()
    servers = servers_at(
        f"rediss+sentinel://ada:p%40ss@a,b/main/2?ssl_ca_certs={ca}&sentinel_password=s"
    )
    assert servers.options == {
        "username": "ada",
        "password": "p@ss",
        "db": 2,
        "ssl_ca_certs": str(ca),
    }
    assert servers.sentinel_options == {"password": "s", "ssl_ca_certs": str(ca)}
    assert "p@ss" not in repr(servers)
    assert servers_at("redis://:only@one").options == {"password": "only", "db": 0}


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("localhost:6379", r"a URL such as redis://.+redis\+sentinel://.+redis\+cluster://"),
        ("http://one", "a URL such as"),
        ("redis+shards://one", "a URL such as"),
        ("redis+://one", "a URL such as"),
        ("redis://", "a URL such as"),
        ("redis://one:0", "a URL such as"),
        ("redis://one:seventy", "a URL such as"),
        ("redis+cluster://a,,b", "a URL such as"),
        ("redis://a,b", "one host"),
        ("redis://ada@one", "a password where there is a user"),
        ("redis://one/main", "no more after the host than /0"),
        ("redis://one/0/1", "no more after the host than /0"),
        ("redis+cluster://a/1", "no database but 0"),
        ("redis+sentinel://a,b", "what the sentinels call the master"),
        ("redis+sentinel://a,b/main/x", "no more after the hosts"),
        ("redis://one?ssl_ca_certs=/ca.pem", "are for rediss://"),
        ("redis://one?db=1", r"nothing like \?db="),
        ("rediss://one?ssl_cert_reqs=none", r"nothing like \?ssl_cert_reqs="),
        ("rediss://one?ssl_check_hostname=false", r"nothing like \?ssl_check_hostname="),
        ("rediss://one?ssl_ca_certs=/nowhere/ca.pem", "a file that is there as ssl_ca_certs"),
        (f"rediss://one?ssl_keyfile={__file__}", "ssl_certfile with ssl_keyfile"),
        ("rediss+cluster://one?sentinel_password=x", r"nothing like \?sentinel_password="),
    ],
)
def test_a_url_that_means_nothing_is_refused(url: str, told: str) -> None:
    """It is said what is taken instead."""
    with pytest.raises(ValueError, match=told):
        servers_at(url)
