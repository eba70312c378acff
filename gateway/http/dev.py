"""Signing in as anybody, for development: in production these routes do not exist."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol

import msgspec
from aiohttp import web
from aiohttp.web_request import Request

from gateway.auth.tokens import mint
from gateway.http.rest import BODY_BYTES, read_json
from gateway.refusals import MISSHAPEN, misshapen
from gateway.sessions import Sessions
from gateway.settings import Settings
from handlers.actor import Role

TOKEN_SECONDS = 900
"""How long a token lives that the page gets, in development."""

_encode = msgspec.json.Encoder().encode


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`as` is any name, or a user's id."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] = msgspec.field(name="as")


_decode = msgspec.json.Decoder(SignIn).decode


class DemoUser(Protocol):
    """Somebody the page offers to be. `name` and `role` are what their tokens say of them."""

    @property
    def name(self) -> str: ...
    @property
    def display_name(self) -> str: ...
    @property
    def avatar_url(self) -> str: ...
    @property
    def role(self) -> str: ...


class DevSignIn:
    """Gives the page tokens, for its `people` above all."""

    def __init__(self, settings: Settings, sessions: Sessions, people: Sequence[DemoUser]) -> None:
        self._settings = settings
        self._sessions = sessions
        self._people = people
        self._roles = {one.name: one.role for one in people}

    def attach(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/api/v1/session/dev", self._list)
        app.router.add_post("/api/v1/session/dev", self._sign_in)

    async def _list(self, request: Request) -> web.Response:
        users = [
            {
                "name": one.name,
                "display_name": one.display_name,
                "avatar_url": one.avatar_url,
                "role": one.role,
            }
            for one in self._people
        ]
        return _json({"users": users})

    async def _sign_in(self, request: Request) -> web.Response:
        try:
            wanted = _decode(await read_json(request, BODY_BYTES) or b"{}")
        except MISSHAPEN as error:
            raise misshapen(error) from error
        role = self._roles.get(wanted.name, Role.USER)
        token = mint(self._settings, wanted.name, role, TOKEN_SECONDS)
        claims, _, user = await self._sessions.identify(token, "")
        expires_at = datetime.fromtimestamp(claims.expires_at, UTC)
        return _json({"token": token, "expires_at": expires_at, "user": user})


def _json(answer: Any) -> web.Response:
    return web.Response(body=_encode(answer), content_type="application/json")
