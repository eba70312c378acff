"""Follows one post: reads it, stays up to date, and catches up after every break.

pip install "python-socketio[asyncio_client]"
GATEWAY=http://localhost:8080 TOKEN=… python watch.py POST_ID      (without TOKEN: as a visitor)
"""

import asyncio
import os
import sys

import socketio

GATEWAY = os.environ.get("GATEWAY", "http://localhost:8080")
TOKEN = os.environ.get("TOKEN")

sio = socketio.AsyncClient()


class Refused(Exception):
    """The gateway said no; the one argument is `{code, message, details}`."""


async def ask(event, command):
    answer = await sio.call(event, command, timeout=10)
    if "error" in answer:
        raise Refused(answer["error"])
    return answer["data"]


class PostView:
    """A post that stays up to date."""

    def __init__(self, post_id):
        self.post_id = post_id
        self.topic = f"post:{post_id}"
        self.post = None  # the post as of `position`
        self.position = None  # {epoch, seq}: the last entry of the topic that is part of `post`
        self.held = None  # events that wait until it is known what came before; None while live

    async def catch_up(self):
        self.held = []
        since = {"since": self.position} if self.position else {}
        watched = await ask("topic:watch", {"topic": self.topic, **since})
        if watched["recovered"]:
            print(f"back, with {len(watched['events'])} events to catch up")
            for event in watched["events"]:
                self.apply(*event)
        else:
            self.post = await ask("post:get", {"post_id": self.post_id})
            self.position = {"epoch": watched["epoch"], "seq": self.post["seq"]}
            self.show(f"{self.post['seq']} read")
        for event in self.held:
            self.apply(*event)
        self.held = None

    def take(self, name, data, meta):
        if meta["topic"] != self.topic:
            return
        if self.held is None:
            self.apply(name, data, meta)
        else:
            self.held.append((name, data, meta))

    def apply(self, name, data, meta):
        seq = meta.get("seq")
        if seq is not None:
            if seq <= self.position["seq"]:
                return  # it is part of what was read, or came twice
            self.position["seq"] = seq
        if data is None:
            return  # what it told of is gone
        if name in ("post:liked", "post:unliked"):
            self.post["like_count"] = data["like_count"]
        if name.startswith("comment:"):
            self.post["comment_count"] = data["comment_count"]
        self.show(f"{seq} {name}")

    def show(self, what):
        print(f"{what}: {self.post['like_count']} likes, {self.post['comment_count']} comments")


view = PostView(sys.argv[1])


@sio.on("session:ready")
async def ready(data, meta):
    """The first event of every connection, so also after each break."""
    try:
        await view.catch_up()
    except Refused as refused:
        print(f"refused: {refused.args[0]['code']}")
        await sio.disconnect()
    except (socketio.exceptions.TimeoutError, socketio.exceptions.BadNamespaceError):
        pass  # nobody answered: the connection broke, and there will be another


@sio.on("*")
def event(name, data, meta):
    view.take(name, data, meta)


@sio.event
def disconnect(reason):
    print(f"away: {reason}")


@sio.event
def connect_error(error):
    if "data" in error:
        print(f"refused: {error['data']['code']}")


async def main():
    try:
        await sio.connect(GATEWAY, auth={"token": TOKEN} if TOKEN else {})
    except socketio.exceptions.ConnectionError:
        return  # `connect_error` has said why
    await sio.wait()


asyncio.run(main())
