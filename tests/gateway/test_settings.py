import os
import stat
from pathlib import Path

import pytest

from gateway.settings import (
    check_for_production,
    describe,
    read_settings,
    unknown_settings,
    with_own_secret,
)
from gateway.startup import CannotStart

SECRET = "0123456789abcdef" * 2
JWKS = "https://issuer.example/keys"


def test_the_example_states_every_setting_and_its_default() -> None:
    """Whoever takes `.env.example` as it is has set nothing."""
    lines = (Path(__file__).parents[2] / ".env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    defaults = describe(read_settings({}))
    assert list(example) == [name for name, _, _ in defaults]
    stated = describe(read_settings(example))
    assert [(name, value) for name, value, _ in stated] == [row[:2] for row in defaults]


def test_make_takes_every_setting() -> None:
    """`make run PORT=9000` sets VERNISSAGE_PORT, and so with all of them."""
    makefile = (Path(__file__).parents[2] / "Makefile").read_text().replace("\\\n", " ")
    (taken,) = (line for line in makefile.splitlines() if line.startswith("SETTINGS := "))
    names = [name for name, _, _ in describe(read_settings({}))]
    own = {name.removeprefix("VERNISSAGE_") for name in names if name.startswith("VERNISSAGE_")}
    assert set(taken.split()[2:]) == own


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VERNISSAGE_ENV", "staging"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("DATABASE_URL", "postgresql://localhost:port/x"),
        ("REDIS_URL", "localhost:6379"),
        ("VERNISSAGE_PORT", "http"),
        ("VERNISSAGE_PORT", "65536"),
        ("VERNISSAGE_ADMIN_PORT", "-1"),
        ("VERNISSAGE_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("VERNISSAGE_TRUSTED_PROXIES", "proxy.example"),
        ("VERNISSAGE_JWT_ALGORITHM", "none"),
        ("VERNISSAGE_JWT_ALGORITHM", "hs256"),
        ("VERNISSAGE_JWT_SECRET", "x" * 31),
        ("VERNISSAGE_JWT_SECRET", "x" * 64),
        ("VERNISSAGE_JWT_JWKS", "/no/such/file"),
        ("VERNISSAGE_ANONYMOUS", "no"),
        ("VERNISSAGE_CORS_ORIGINS", "*"),
        ("VERNISSAGE_CORS_ORIGINS", "https://one.example, https://two.example/"),
        ("VERNISSAGE_PING_INTERVAL", "0"),
        ("VERNISSAGE_PING_TIMEOUT", "nan"),
        ("VERNISSAGE_MAX_PAYLOAD", "16k"),
        ("VERNISSAGE_RATE_LIMITS", "0"),
        ("VERNISSAGE_RATE_LIMITS", "none"),
        ("VERNISSAGE_SOCKETS_PER_USER", "0"),
        ("VERNISSAGE_SOCKETS_PER_ADDRESS", "many"),
        ("VERNISSAGE_CONNECTS_PER_SECOND", "0"),
        ("VERNISSAGE_LOG_FORMAT", "xml"),
    ],
)
def test_a_bad_value_is_refused(name: str, value: str) -> None:
    """One line names the setting and says what it takes."""
    with pytest.raises(CannotStart, match=rf"^{name} is .+; it takes [^\n]+$"):
        read_settings({name: value})


def test_a_bad_secret_is_not_shown() -> None:
    """Nor is the password of a bad URL."""
    with pytest.raises(CannotStart) as refused:
        read_settings({"VERNISSAGE_JWT_SECRET": "hush"})
    assert "hush" not in str(refused.value)
    with pytest.raises(CannotStart) as refused:
        read_settings({"DATABASE_URL": "mysql://ada:hush@localhost/x"})
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    "environ",
    [
        {"VERNISSAGE_JWT_JWKS": JWKS},
        {"VERNISSAGE_JWT_ALGORITHM": "RS256"},
        {
            "VERNISSAGE_JWT_ALGORITHM": "RS256",
            "VERNISSAGE_JWT_JWKS": JWKS,
            "VERNISSAGE_JWT_SECRET": SECRET,
        },
    ],
)
def test_there_is_one_kind_of_key(environ: dict[str, str]) -> None:
    """A shared secret for HS256, public keys for the others, never both and never the wrong one."""
    with pytest.raises(CannotStart, match="VERNISSAGE_JWT_"):
        read_settings(environ)


@pytest.mark.parametrize("primary", ["", "postgresql://replica/x"])
def test_a_replica_is_another_servers(primary: str) -> None:
    """Of a database that is named, and not that one itself."""
    with pytest.raises(CannotStart, match="DATABASE_REPLICA_URL is"):
        read_settings({"DATABASE_URL": primary, "DATABASE_REPLICA_URL": "postgresql://replica/x"})


def test_a_direct_way_is_one_to_the_database() -> None:
    """Without a database that it goes around to, it is a mistake."""
    with pytest.raises(CannotStart, match="DATABASE_DIRECT_URL is another way"):
        read_settings({"DATABASE_DIRECT_URL": "postgresql://primary/x"})


def test_machines_that_forward_have_an_address_and_a_secret() -> None:
    """Both or neither; the address is that of a server, without a path."""
    both = {"VERNISSAGE_NODE_URL": "http://10.0.0.5:8080", "VERNISSAGE_CLUSTER_SECRET": SECRET}
    assert read_settings(both).node_url == "http://10.0.0.5:8080"
    for name in both:
        with pytest.raises(CannotStart, match="go together"):
            read_settings({name: both[name]})
    with pytest.raises(CannotStart, match=r"VERNISSAGE_NODE_URL is .+ such as http://"):
        read_settings({**both, "VERNISSAGE_NODE_URL": "http://10.0.0.5:8080/gateway"})


def test_there_is_a_worker_for_each_core() -> None:
    """Of those that the process may use."""
    assert read_settings({}).workers == min(len(os.sched_getaffinity(0)), 40)
    assert read_settings({"VERNISSAGE_WORKERS": "3"}).workers == 3
    with pytest.raises(CannotStart, match="processes between 1 and 40"):
        read_settings({"VERNISSAGE_WORKERS": "0"})


def test_what_another_process_needs_to_be_told() -> None:
    """What was filled in here; what the environment says it knows from there."""
    settings = read_settings({"VERNISSAGE_PORT": "9000"}).filled("here", redis_url="redis://x")
    assert settings.environment() == {"REDIS_URL": "redis://x"}


def test_what_is_set_is_read() -> None:
    """Numbers, lists, words and fractions arrive as what they mean."""
    settings = read_settings(
        {
            "VERNISSAGE_PORT": "9000",
            "VERNISSAGE_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
            "VERNISSAGE_ANONYMOUS": "deny",
            "VERNISSAGE_CORS_ORIGINS": "https://one.example,http://two.example:81",
            "VERNISSAGE_PING_INTERVAL": "0.5",
            "VERNISSAGE_RATE_LIMITS": "1000",
            "VERNISSAGE_SOCKETS_PER_USER": "off",
        }
    )
    assert (settings.port, settings.admin_port) == (9000, 9001)
    assert settings.admin_host == "127.0.0.1"
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    assert settings.anonymous is False
    assert settings.cors_origins == ("https://one.example", "http://two.example:81")
    assert settings.ping_interval == 0.5
    assert settings.rate_limits == 1000
    assert settings.sockets_per_user is None
    assert read_settings({"VERNISSAGE_RATE_LIMITS": "off"}).rate_limits is None


def test_a_misspelt_setting_is_noticed() -> None:
    """The line offers the name that was probably meant; other programs' variables are none of ours."""
    (line,) = unknown_settings({"VERNISSAGE_ANONYMUS": "deny", "PORT": "1", "VERNISSAGE_PORT": "1"})
    assert line == "VERNISSAGE_ANONYMUS is no setting; did you mean VERNISSAGE_ANONYMOUS?"


def test_production_is_told_all_that_it_lacks() -> None:
    """Its databases and its key are never guessed."""
    production = {"VERNISSAGE_ENV": "production"}
    with pytest.raises(CannotStart, match=r"DATABASE_URL.+REDIS_URL.+VERNISSAGE_JWT_SECRET"):
        check_for_production(with_own_secret(read_settings(production)))
    servers = {"DATABASE_URL": "postgresql://db/x", "REDIS_URL": "rediss://bus"}
    check_for_production(read_settings(production | servers | {"VERNISSAGE_JWT_SECRET": SECRET}))
    keys = {"VERNISSAGE_JWT_ALGORITHM": "EdDSA", "VERNISSAGE_JWT_JWKS": JWKS}
    check_for_production(read_settings(production | servers | keys))


def test_dev_makes_itself_a_secret_that_lasts(tmp_path: Path) -> None:
    """It is made once for each DATA_DIR, for its owner's eyes only."""
    environ = {"VERNISSAGE_DATA_DIR": str(tmp_path / "var")}
    assert with_own_secret(read_settings(environ), make=False).jwt_secret == ""
    secret = with_own_secret(read_settings(environ)).jwt_secret
    assert len(secret) >= 32
    assert with_own_secret(read_settings(environ)).jwt_secret == secret
    assert with_own_secret(read_settings(environ), make=False).jwt_secret == secret
    assert with_own_secret(read_settings(environ)).webhook_key not in ("", secret)
    for file in (tmp_path / "var").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        whole = file.read_text()
        file.write_text("damaged")
        with pytest.raises(CannotStart, match="is damaged"):
            with_own_secret(read_settings(environ))
        file.write_text(whole)


def test_a_description_shows_sources_and_no_secrets() -> None:
    """Every setting has a line; passwords are masked wherever they stand."""
    settings = read_settings(
        {
            "DATABASE_URL": "postgresql://ada:hush@db.example/x",
            "VERNISSAGE_JWT_SECRET": SECRET,
            "VERNISSAGE_PORT": "9000",
        }
    )
    rows = {name: (value, source) for name, value, source in describe(settings)}
    assert rows["DATABASE_URL"] == ("postgresql://ada:***@db.example/x", "environment")
    assert rows["VERNISSAGE_JWT_SECRET"] == ("***", "environment")
    assert rows["VERNISSAGE_PORT"] == ("9000", "environment")
    assert rows["VERNISSAGE_ADMIN_PORT"] == ("9001", "default")
    assert "hush" not in repr(settings)
    assert SECRET not in repr(settings)
