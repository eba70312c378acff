"""HAProxy and nginx, run with the configurations that `deploy/` ships.

    async with haproxy(machines, folder, identity) as door: …

`door.url` is where clients come in, by TLS. HAProxy takes its addresses from its environment, as the file says;
in nginx's file they are put in the place of those that stand there, and nothing else is changed.
"""

import asyncio
import csv
import io
import os
import shutil
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.embedded import free_port
from tests.waiting import DEADLINE

DEPLOY = Path(__file__).resolve().parent.parent.parent / "deploy"
HAPROXY_CONFIGURATION = DEPLOY / "haproxy" / "haproxy.cfg"
NGINX_CONFIGURATION = DEPLOY / "nginx" / "vernissage.conf"
HOST = "127.0.0.1"


PATHS = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
"""Debian has them where not everybody looks."""


def installed(program: str) -> str:
    """Where a proxy of Debian's packages is; only outside CI may a machine be without it."""
    if found := shutil.which(program, path=PATHS):
        return found
    if os.environ.get("CI"):
        pytest.fail(f"CI runs the gateway behind {program}, which is not installed")
    pytest.skip(f"no {program} on this machine (Debian: apt-get install {program})")


@dataclass(frozen=True)
class Identity:
    """A certificate for HOST that it has signed itself, with its key; and who trusts it."""

    certificate: Path
    key: Path

    @classmethod
    def made(cls, folder: Path) -> "Identity":
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the tests' gallery")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=12))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .sign(key, hashes.SHA256())
        )
        identity = cls(folder / "gallery.crt", folder / "gallery.key")
        identity.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        identity.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return identity

    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


@dataclass(frozen=True)
class Door:
    """A proxy: `url` for clients, `plain` without TLS, `balanced` for a balancer before it."""

    url: str
    plain: str
    balanced: str
    operator: str = ""

    async def marked(self) -> dict[str, str]:
        """What HAProxy thinks of each machine: `UP`, `DOWN`, or on the way to either."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.operator}/;csv") as answer:
            rows = csv.DictReader(io.StringIO((await answer.text()).removeprefix("# ")))
            return {
                row["svname"]: row["status"]
                for row in rows
                if row["pxname"] == "ready" and row["svname"].startswith("machine-")
            }

    async def marks(self, *down: str) -> None:
        """Wait until HAProxy has marked these machines DOWN, and the others UP."""
        async with asyncio.timeout(3 * DEADLINE):
            while await self._undecided(set(down)):
                await asyncio.sleep(0.05)

    async def _undecided(self, down: set[str]) -> bool:
        marked = await self.marked()
        return any(mark != ("DOWN" if name in down else "UP") for name, mark in marked.items())


@asynccontextmanager
async def haproxy(
    machines: Sequence[str],
    folder: Path,
    settings: Mapping[str, str],
    identity: Identity | None,
    *,
    port: int | None = None,
) -> AsyncIterator[Door]:
    """HAProxy before machines (their URLs); without an identity it speaks no TLS, at `port` or any."""
    program = installed("haproxy")
    plain, secure, operator = port or free_port(), free_port(), free_port()
    given = {
        "LISTEN_HTTP": f"{HOST}:{plain}",
        "LISTEN_HTTPS": f"{HOST}:{secure}",
        "LISTEN_OPERATOR": f"{HOST}:{operator}",
        "MAX_CONNECTIONS": "4000",
        "UNPRIVILEGED": "1",
        **{f"MACHINE_{n}": urlsplit(url).netloc for n, url in enumerate(machines, 1)},
        **settings,
    }
    if identity is None:
        given["WITHOUT_TLS"] = "1"
    else:
        given["CERTIFICATES"] = str(folder / "certs")
        (folder / "certs").mkdir()
        both = identity.certificate.read_bytes() + identity.key.read_bytes()
        (folder / "certs" / "gallery.pem").write_bytes(both)
    url = f"http://{HOST}:{plain}" if identity is None else f"https://{HOST}:{secure}"
    door = Door(url, f"http://{HOST}:{plain}", url, f"http://{HOST}:{operator}")
    command = [program, "-db", "-f", str(HAPROXY_CONFIGURATION)]
    async with _running(command, given, folder / "haproxy.log", [plain, operator]):
        yield door


@asynccontextmanager
async def nginx(
    machines: Sequence[str], folder: Path, balancers: str, identity: Identity
) -> AsyncIterator[Door]:
    """nginx before three machines."""
    program = installed("nginx")
    plain, secure, balanced = (free_port() for _ in range(3))
    places = {
        **{f"10.0.0.1{n}:8080": urlsplit(url).netloc for n, url in enumerate(machines, 1)},
        "listen 80;": f"listen {HOST}:{plain};",
        "listen 443 ": f"listen {HOST}:{secure} ",
        "listen 8443 ": f"listen {HOST}:{balanced} ",
        "10.0.0.0/24": balancers,
        "/etc/nginx/certs/vernissage.crt": str(identity.certificate),
        "/etc/nginx/certs/vernissage.key": str(identity.key),
    }
    site = NGINX_CONFIGURATION.read_text()
    for shipped, here in places.items():
        assert site.count(shipped) == 1, shipped
        site = site.replace(shipped, here)
    (folder / "vernissage.conf").write_text(site)
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log stderr;\n"
        f"events {{}}\nhttp {{ access_log off; {temporary}\n include {folder}/vernissage.conf; }}\n"
    )
    url = f"https://{HOST}:{secure}"
    door = Door(url, f"http://{HOST}:{plain}", f"https://{HOST}:{balanced}")
    command = [program, "-e", "stderr", "-c", str(folder / "nginx.conf")]
    async with _running(command, {}, folder / "nginx.log", [plain, secure]):
        yield door


@asynccontextmanager
async def _running(
    command: Sequence[str], settings: Mapping[str, str], log: Path, ports: Sequence[int]
) -> AsyncIterator[None]:
    """A proxy that listens; it is ended at the end."""
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *command,
            env={"PATH": os.environ["PATH"], **settings},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    try:
        for port in ports:
            await _listens(process, port, log)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listens(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    try:
        async with asyncio.timeout(DEADLINE):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection(HOST, port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return
    except TimeoutError:
        pass
    pytest.fail(f"{log.stem} does not listen: {log.read_text()}")
