"""One's own topic: notifications as they come and go, over breaks and past a token's end.

GATEWAY=http://localhost:8080 AS=ada python inbox.py
"""

import asyncio
import os

import aiohttp
import socketio

GATEWAY = os.environ.get("GATEWAY", "http://localhost:8080")
AS = os.environ.get("AS", "ada")

sio = socketio.AsyncClient()


async def new_token():
    """In development the gateway makes tokens itself. In production ask your own sign-in."""
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{GATEWAY}/api/v1/session/dev", json={"as": AS}) as answer,
    ):
        return (await answer.json())["token"]


class Inbox:
    """A user's notifications, and how far the user's own topic is known."""

    def __init__(self):
        self.token = os.environ.get("TOKEN")
        self.position = None  # {epoch, seq}: the last entry of our own topic that we have
        self.notifications = {}
        self.refused = None

    async def auth(self):
        """Asked on each connection: who we are, and where we stand by then."""
        if self.token is None:
            self.token = await new_token()
        return {"token": self.token, **({"since": self.position} if self.position else {})}

    def is_news(self, meta):
        if meta["seq"] <= self.position["seq"]:
            return False
        self.position["seq"] = meta["seq"]
        return True


inbox = Inbox()


@sio.on("session:ready")
def ready(data, meta):
    # Where all that we missed follows as ordinary events, we go on from where we were.
    if not data["recovered"]:
        inbox.position = {"epoch": data["epoch"], "seq": data["seq"]}
    print(f"hello {data['user']['display_name']}, recovered: {data['recovered']}")


@sio.on("notification:created")
@sio.on("notification:updated")
def notified(data, meta):
    if not inbox.is_news(meta) or data is None:  # None: what it told of is gone
        return
    if data["count"]:
        inbox.notifications[data["id"]] = data
    else:
        inbox.notifications.pop(data["id"], None)  # taken back: the like was undone
    who = ", ".join(actor["display_name"] for actor in data["actors"]) or "nobody"
    print(f"{data['kind']} ×{data['count']} by {who}: {len(inbox.notifications)} in the inbox")


@sio.on("user:followed")
def followed(data, meta):
    if inbox.is_news(meta):
        print(f"user:followed: {data['follower_count']} followers")


@sio.on("user:unfollowed")
def unfollowed(data, meta):
    if inbox.is_news(meta):
        print(f"user:unfollowed: {data['follower_count']} followers")


@sio.on("auth:expiring")
async def expiring(data, meta):
    inbox.token = await new_token()
    answer = await sio.call("auth:refresh", {"token": inbox.token}, timeout=10)
    print(f"not refreshed: {answer['error']['code']}" if "error" in answer else "refreshed")


@sio.on("session:closing")
def closing(data, meta):
    print(f"closing: {data['code']}")


@sio.event
def disconnect(reason):
    print(f"away: {reason}")


@sio.event
def connect_error(error):
    if "data" in error:  # the gateway said no; otherwise it is the network
        inbox.refused = error["data"]["code"]
        print(f"refused: {inbox.refused}")


async def main():
    while inbox.refused in (None, "TOKEN_EXPIRED"):
        inbox.refused = None
        try:
            await sio.connect(GATEWAY, auth=inbox.auth)
            await sio.wait()  # over breaks too; until the gateway sends us away
        except socketio.exceptions.ConnectionError:
            await asyncio.sleep(1)
        inbox.token = None


asyncio.run(main())
