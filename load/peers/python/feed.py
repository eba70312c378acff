"""The feed page as FastAPI, pydantic and asyncpg serve it, from the gateway's own query and tables.

DATABASE_URL, JWT_SECRET; served by uvicorn.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

import asyncpg
import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Query
from pydantic import BaseModel

from store.queries import queries

SECRET = os.environ["JWT_SECRET"]
RECENT = queries("gallery/feed")["recent"]
NOW, LAST = datetime(9999, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1)
AUTHOR = ("display_name", "avatar_url", "subscription_tier")


class UserSummary(BaseModel):
    id: UUID
    display_name: str
    avatar_url: str | None
    subscription_tier: str


class Post(BaseModel):
    id: UUID
    user_id: UUID
    asset_id: UUID
    title: str
    description: str | None
    prompt_used: str | None
    show_prompt: bool
    tags: list[str]
    asset_type: str
    asset_url: str
    like_count: int
    comment_count: int
    view_count: int
    is_featured: bool
    inspired_by_post_id: UUID | None
    created_at: datetime
    updated_at: datetime
    author: UserSummary
    is_liked: bool
    topic: str
    seq: int


class FeedPage(BaseModel):
    posts: list[Post]
    has_more: bool


database: dict[str, asyncpg.Pool] = {}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=10, max_size=10) as pool:
        database["pool"] = pool
        yield


app = FastAPI(lifespan=lifespan)


def signed_in(authorization: Annotated[str, Header()]) -> UUID:
    try:
        claims = jwt.decode(
            authorization.removeprefix("Bearer "),
            SECRET,
            algorithms=["HS256"],
            issuer="vernissage",
            audience="vernissage",
        )
    except jwt.PyJWTError:
        raise HTTPException(401, "UNAUTHENTICATED") from None
    return UUID(claims["sub"])


@app.get("/")
async def ready() -> str:
    return "ready"


@app.get("/api/v1/community/feed")
async def feed(
    reader: Annotated[UUID, Depends(signed_in)],
    feed_type: Literal["recent"] = "recent",
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> FeedPage:
    rows = await database["pool"].fetch(RECENT, reader, False, NOW, LAST, limit + 1)
    posts = [
        Post(
            **row,
            updated_at=row["changed_at"] or row["created_at"],
            author=UserSummary(id=row["user_id"], **{name: row[name] for name in AUTHOR}),
        )
        for row in rows[:limit]
    ]
    return FeedPage(posts=posts, has_more=len(rows) > limit)
