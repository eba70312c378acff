"""Likes, comments and follows: commands, their answers, and what to do when one is refused.

GATEWAY=http://localhost:8080 TOKEN=… python act.py POST_ID
"""

import asyncio
import json
import os
import sys
import time
import uuid

import socketio

GATEWAY = os.environ.get("GATEWAY", "http://localhost:8080")
TOKEN = os.environ["TOKEN"]

sio = socketio.AsyncClient()


class Refused(Exception):
    """The gateway said no; the one argument is `{code, message, details}`."""


def new_id():
    """A UUIDv7: the time in milliseconds, then chance."""
    now = f"{time.time_ns() // 1_000_000:012x}"
    return f"{now[:8]}-{now[8:]}-7{str(uuid.uuid4())[15:]}"


@sio.event
def connect_error(error):
    if "data" in error:  # the gateway said no; otherwise it is the network
        print(f"refused: {error['data']['code']}")


async def send(event, command):
    """Send a command until it is answered, and wait where the gateway asks for patience."""
    while True:
        try:
            answer = await sio.call(event, command, timeout=10)
        except socketio.exceptions.TimeoutError:
            continue  # no answer: it may have been carried out or not, and sending again is safe
        except socketio.exceptions.BadNamespaceError:
            await asyncio.sleep(0.5)  # not connected: the client is on its way back
            continue
        if "error" not in answer:
            return answer["data"]
        error = answer["error"]
        if "retry_after" not in error:
            raise Refused(error)
        print(f"wait: {error['code']}")
        await asyncio.sleep(error["retry_after"])


async def main():
    post_id = sys.argv[1]
    try:
        await sio.connect(GATEWAY, auth={"token": TOKEN})
    except socketio.exceptions.ConnectionError:
        return  # `connect_error` has said why
    post = await send("post:get", {"post_id": post_id})

    like = await send("post:like", {"post_id": post_id})
    print(f"liked: {like['liked']}, changed: {like['changed']}, {like['like_count']} likes")

    # With an id of our own making a second try is recognised as one: there is one comment.
    comment = {"id": new_id(), "post_id": post_id, "content": "How did you make this?"}
    await send("comment:create", comment)
    made = await send("comment:create", comment)
    print(f"commented once: {made['id'] == comment['id']}, {made['content']}")

    edit = {"comment_id": made["id"], "content": "So that is how!"}
    edited = await send("comment:update", edit)
    print(f"edited: {edited['is_edited']}, {edited['content']}")

    await send("comment:delete", {"comment_id": made["id"]})
    print("deleted")

    follow = await send("user:follow", {"user_id": post["author"]["id"]})
    print(f"following: {follow['following']}, {follow['follower_count']} followers")

    try:
        await send("comment:create", {"post_id": post_id, "content": ""})
    except Refused as refused:
        error = refused.args[0]
        print(f"refused: {error['code']}, {json.dumps(error['details'])}")

    await sio.disconnect()


asyncio.run(main())
