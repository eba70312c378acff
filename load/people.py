"""Who takes part: their tokens, and what they share before anything is measured."""

import http.client
import json
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import jwt

COMMUNITY = "/api/v1/community"
TOKEN_SECONDS = 12 * 3600

Token = Callable[[str], str]
"""Makes a token for a user of that name."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Makes the tokens that a deployment with a shared secret takes (HS256)."""

    secret: str
    issuer: str = "vernissage"
    audience: str = "vernissage"

    def token(self, user: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": str(uuid5(NAMESPACE_URL, f"load:{user}")),
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "name": user,
        }
        return jwt.encode(claims, self.secret, "HS256")


def printed_by(command: str) -> Token:
    """Tokens that a command prints; `{user}` in it stands for the user's name."""

    def token(user: str) -> str:
        words = [word.replace("{user}", user) for word in shlex.split(command)]
        done = subprocess.run(words, capture_output=True, check=True, text=True)
        return done.stdout.strip()

    return token


class Refused(Exception):
    """The deployment refused what a scenario needs before it can begin."""


class Api:
    """A deployment's REST, as one user; to be closed."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=30)
        self.close = self._connection.close
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """What a POST below the community's base path answers. Raises Refused."""
        self._connection.request("POST", COMMUNITY + path, json.dumps(body), self._headers)
        with self._connection.getresponse() as response:
            answer = json.loads(response.read())
        if response.status >= 400:
            raise Refused(f"POST {path}: {answer.get('code')}: {answer.get('detail')}")
        return answer

    def share(self, title: str) -> str:
        """Share a new post; its id."""
        asset = self.post(
            "/assets", {"asset_type": "overlay", "url": "https://example.org/picture.svg"}
        )
        post: str = self.post("/posts", {"asset_id": asset["id"], "title": title})["id"]
        return post
