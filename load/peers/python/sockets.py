"""python-socketio as it comes, doing the same job as the Node peer: see `load/peers/node/server.mjs`.

PORT, DATABASE_URL, REDIS_URL, JWT_SECRET.
"""

import json
import os
from datetime import UTC, datetime
from typing import Any

import asyncpg
import jwt
import socketio
from aiohttp import web

SECRET = os.environ["JWT_SECRET"]

LIKE = "insert into likes (post_id, user_id) values ($1, $2) on conflict do nothing returning 1"
UNLIKE = "delete from likes where post_id = $1 and user_id = $2 returning 1"
COUNT = "update posts set like_count = like_count + $2 where id = $1 returning like_count"
READ = "select like_count from posts where id = $1"
COMMENT = """insert into comments (post_id, user_id, content) values ($1, $2, $3)
    returning id, created_at"""
COUNT_COMMENT = """update posts set comment_count = comment_count + 1 where id = $1
    returning comment_count"""
NOTE = "insert into events (topic, type, data) values ($1, $2, $3) returning id, created_at"

sio = socketio.AsyncServer(
    async_mode="aiohttp",
    client_manager=socketio.AsyncRedisManager(os.environ["REDIS_URL"]),
    max_http_buffer_size=16 * 1024,
)
app = web.Application()
sio.attach(app)
database: dict[str, asyncpg.Pool] = {}


@sio.event
async def connect(sid: str, environ: dict[str, Any], auth: Any = None) -> None:
    try:
        claims = jwt.decode(
            auth["token"], SECRET, algorithms=["HS256"], issuer="vernissage", audience="vernissage"
        )
    except (jwt.PyJWTError, KeyError, TypeError):
        raise socketio.exceptions.ConnectionRefusedError("UNAUTHENTICATED") from None
    user = {
        "id": claims["sub"],
        "display_name": claims.get("name", claims["sub"][:8]),
        "avatar_url": None,
        "subscription_tier": "free",
    }
    topic = f"user:{user['id']}"
    await sio.save_session(sid, {"user": user, "topic": topic})
    await sio.enter_room(sid, topic)
    ready = {
        "user": user,
        "epoch": "0",
        "topic": topic,
        "seq": 0,
        "recovered": False,
        "expires_at": _time(datetime.fromtimestamp(claims["exp"], UTC)),
        "node": "python",
    }
    await sio.emit("session:ready", ready, to=sid)


@sio.on("topic:watch")
async def watch(sid: str, payload: dict[str, Any]) -> dict[str, Any]:
    topic = payload["topic"]
    own = (await sio.get_session(sid))["topic"]
    if topic not in (own, "gallery") and not topic.startswith("post:"):
        return {"error": {"code": "NOT_FOUND", "message": "No such topic.", "details": {}}}
    await sio.enter_room(sid, topic)
    return {"data": {"topic": topic, "epoch": "0", "seq": None, "recovered": False, "events": []}}


@sio.on("post:like")
async def like(sid: str, payload: dict[str, Any]) -> dict[str, Any]:
    return await _set_liked(sid, payload["post_id"], True)


@sio.on("post:unlike")
async def unlike(sid: str, payload: dict[str, Any]) -> dict[str, Any]:
    return await _set_liked(sid, payload["post_id"], False)


async def _set_liked(sid: str, post_id: str, liked: bool) -> dict[str, Any]:
    user = (await sio.get_session(sid))["user"]
    topic, name = f"post:{post_id}", "post:liked" if liked else "post:unliked"
    async with database["pool"].acquire() as connection, connection.transaction():
        changed = await connection.fetchval(LIKE if liked else UNLIKE, post_id, user["id"])
        if not changed:
            count = await connection.fetchval(READ, post_id)
            answer = {"post_id": post_id, "liked": liked, "changed": False, "like_count": count}
            return {"data": answer}
        count = await connection.fetchval(COUNT, post_id, 1 if liked else -1)
        data = {"post_id": post_id, "like_count": count, "actors": [user]}
        noted = await connection.fetchrow(NOTE, topic, name, json.dumps(data))
    await _publish(topic, name, data, noted)
    answer = {"post_id": post_id, "liked": liked, "changed": True, "like_count": count}
    return {"data": {**answer, "seq": noted["id"]}}


@sio.on("comment:create")
async def comment(sid: str, payload: dict[str, Any]) -> dict[str, Any]:
    user = (await sio.get_session(sid))["user"]
    post_id, content = payload["post_id"], payload["content"]
    topic = f"post:{post_id}"
    async with database["pool"].acquire() as connection, connection.transaction():
        made = await connection.fetchrow(COMMENT, post_id, user["id"], content)
        count = await connection.fetchval(COUNT_COMMENT, post_id)
        answer = {
            "id": str(made["id"]),
            "post_id": post_id,
            "user_id": user["id"],
            "content": content,
            "is_edited": False,
            "created_at": _time(made["created_at"]),
            "updated_at": _time(made["created_at"]),
            "author": user,
        }
        data = {"post_id": post_id, "comment": answer, "comment_count": count}
        noted = await connection.fetchrow(NOTE, topic, "comment:created", json.dumps(data))
    await _publish(topic, "comment:created", data, noted)
    return {"data": answer}


async def _publish(topic: str, name: str, data: dict[str, Any], noted: asyncpg.Record) -> None:
    meta = {"topic": topic, "seq": noted["id"], "at": _time(noted["created_at"])}
    await sio.emit(name, (data, meta), room=topic)


def _time(moment: datetime) -> str:
    return moment.isoformat()


async def ready(request: web.Request) -> web.Response:
    return web.Response(text="ready")


async def open_pool(app: web.Application) -> None:
    database["pool"] = await asyncpg.create_pool(os.environ["DATABASE_URL"], max_size=20)


app.router.add_get("/", ready)
app.on_startup.append(open_pool)
web.run_app(
    app,
    host="127.0.0.1",
    port=int(os.environ["PORT"]),
    backlog=4096,
    access_log=None,
    print=lambda *_: None,
)
