"""What moderators do is seen on every node, and stands in the moderation log."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from store.database import Database
from tests.nodes import Node
from tests.people import People, Person, refused
from tests.screens import NODE_POLLING, NODE_WEBSOCKET, Refused, Transport
from tests.store.audit import assert_sound

Nodes = tuple[Node, Node]

each_way = pytest.mark.parametrize("over", [NODE_WEBSOCKET, NODE_POLLING], ids=str)


async def moderators(nodes: Nodes, people: People) -> tuple[Person, Person]:
    """One at each node."""
    mo, max_ = people.named("Mo", "Max")
    mo.role, max_.role = "moderator", "admin"
    await mo.comes_to(nodes[0])
    await max_.comes_to(nodes[1])
    return mo, max_


async def noted(database: Database, *subjects: str) -> list[tuple[str, str, str | None]]:
    """Who did what to these, and why, in order."""
    rows = await database.fetch(
        "select actor_id, action, reason from moderation_log"
        " where subject_id = any ($1::uuid[]) order by created_at, id",
        list(subjects),
    )
    return [(str(row["actor_id"]), row["action"], row["reason"]) for row in rows]


async def test_a_post_is_featured(nodes: Nodes, people: People, database: Database) -> None:
    """Those who watch it and the gallery see it, on every node; doing it again changes nothing."""
    mo, max_ = await moderators(nodes, people)
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[1])
    post = await ada.shares()
    await ada.watches(post)
    await ben.screen.watches("gallery")
    on, off = ({"post_id": post["id"], "featured": featured} for featured in (True, False))
    for person in (ada, ben):
        with refused("FORBIDDEN", role="moderator"):
            await person.asks("post:feature", on)
    assert (await mo.asks("post:feature", on))["is_featured"] is True
    featured = await ben.sees("post:featured")
    assert (featured.data["post"]["id"], featured.data["post"]["is_featured"]) == (post["id"], True)
    updated = await ada.sees("post:updated")
    assert updated.data["post"]["is_featured"] is True
    assert (await max_.gets("post:feature", on))["is_featured"] is True
    listed = await ben.asks("post:page_featured", {"limit": 50})
    assert post["id"] in [each["id"] for each in listed["items"]]
    await max_.asks("post:feature", off)
    await ben.sees("post:featured")
    assert await noted(database, post["id"]) == [
        (mo.id, "featured", None),
        (max_.id, "unfeatured", None),
    ]


@each_way
async def test_a_ban_ends_writes_and_no_more(
    nodes: Nodes, people: People, database: Database, over: Transport
) -> None:
    """On every node, over sockets and REST, from the moment that it is answered; the sockets stay."""
    mo, max_ = await moderators(nodes, people)
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[1])
    post = await ada.shares()
    await ben.comes_to(nodes[0], over)
    screens = [ben.screen, await ben.comes_to(nodes[1], over)]
    await ben.likes(post)
    comment = await ben.comments(post)
    asset = await ben.makes()
    for screen in screens:
        await screen.watches(post["topic"])

    ban = {"user_id": ben.id, "banned": True, "reason": "rude"}
    banned = await mo.asks("user:ban", ban)
    assert (banned["is_banned"], banned["banned_reason"]) == (True, "rude")
    writes: list[tuple[str, dict[str, Any]]] = [
        ("post:unlike", {"post_id": post["id"]}),
        ("comment:create", {"post_id": post["id"], "content": "But"}),
        ("comment:update", {"comment_id": comment["id"], "content": "But"}),
        ("comment:delete", {"comment_id": comment["id"]}),
        ("user:follow", {"user_id": ada.id}),
        ("post:create", {"asset_id": asset["id"], "title": "Mine"}),
        ("post:report", {"post_id": post["id"], "reason": "spam"}),
        ("asset:create", {"asset_type": "overlay", "url": "https://example.org/b.svg"}),
    ]
    for event, payload in writes:
        for screen in screens:
            with refused("COMMUNITY_USER_BANNED"):
                await screen.asks(event, payload)
        for node in nodes:
            with refused("COMMUNITY_USER_BANNED"):
                await ben.gets(event, payload, node=node)

    # He reads, and is told, as before.
    await ada.likes(post)
    for screen in screens:
        await screen.sees("post:liked", like_count=2)
        assert (await screen.asks("post:get", {"post_id": post["id"]}))["is_liked"] is True
        assert screen.disconnected is None
    seen = (await ben.gets("comment:page", {"post_id": post["id"]}, node=nodes[0]))["items"]
    assert [(each["can_edit"], each["can_delete"]) for each in seen] == [(False, False)]

    await max_.asks("user:ban", {"user_id": ben.id, "banned": False})
    assert (await ben.unlikes(post))["changed"] is True
    assert await noted(database, ben.id) == [(mo.id, "banned", "rude"), (max_.id, "unbanned", None)]
    await assert_sound(database)


async def test_a_ban_ends_a_burst_in_its_midst(
    nodes: Nodes, people: People, database: Database
) -> None:
    """Of writes at both nodes none is accepted two seconds later."""
    mo, _ = await moderators(nodes, people)
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    post = await ada.shares()
    await ben.comes_to(nodes[0])
    screens = [ben.screen, await ben.comes_to(nodes[1])]

    async def writes(n: int) -> None:
        while True:
            await screens[n].asks("comment:create", {"post_id": post["id"], "content": f"{n}"})

    await mo.screen.watches(post["topic"])
    writing = [asyncio.create_task(writes(n)) for n in range(2)]
    await mo.sees("comment:created")
    banned = await mo.asks("user:ban", {"user_id": ben.id, "banned": True})
    ended = await asyncio.wait_for(asyncio.gather(*writing, return_exceptions=True), 10)
    assert [isinstance(each, Refused) and each.code for each in ended] == [
        "COMMUNITY_USER_BANNED"
    ] * 2
    row = await database.fetchrow(
        "select count(*) as late from community_comments"
        " where user_id = $1 and created_at > $2::timestamptz + interval '2 seconds'",
        ben.id,
        datetime.fromisoformat(banned["banned_at"]),
    )
    assert row is not None
    assert row["late"] == 0
    await assert_sound(database)


async def test_two_moderators_review_one_report_at_the_same_moment(
    nodes: Nodes, people: People, database: Database
) -> None:
    """At two nodes: one wins, and the other is told that it has been done; it is noted once."""
    mo, max_ = await moderators(nodes, people)
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[1])
    for _ in range(5):
        post = await ada.shares()
        await ben.watches(post)
        made = await ben.asks("post:report", {"post_id": post["id"], "reason": "harassment"})
        with refused("COMMUNITY_ALREADY_REPORTED", post_id=post["id"]):
            await ben.asks("post:report", {"post_id": post["id"], "reason": "other"})
        with refused("FORBIDDEN", role="moderator"):
            await ben.asks("report:page", {})
        waiting = await mo.asks("report:page", {"status": "pending", "limit": 50})
        assert made["report_id"] in [each["id"] for each in waiting["items"]]

        review = {"report_id": made["report_id"]}
        answers = await asyncio.gather(
            mo.asks("report:review", {**review, "status": "actioned", "hide_post": True}),
            max_.asks("report:review", {**review, "status": "dismissed"}),
            return_exceptions=True,
        )
        (lost,) = [each for each in answers if isinstance(each, Refused)]
        assert lost.code == "COMMUNITY_REPORT_ALREADY_REVIEWED"
        (won,) = [each for each in answers if not isinstance(each, BaseException)]
        winner = mo if won["status"] == "actioned" else max_
        assert won["reviewed_by"] == winner.id
        assert await noted(database, made["report_id"]) == [(winner.id, won["status"], None)]
        hidden = [(mo.id, "hidden", None)] if winner is mo else []
        assert await noted(database, post["id"]) == hidden
        if winner is mo:
            await ben.sees("post:hidden", post_id=post["id"])
        for moderator, node in ((mo, nodes[1]), (max_, nodes[0])):
            with refused("COMMUNITY_REPORT_ALREADY_REVIEWED"):
                await moderator.gets("report:review", {**review, "status": "reviewed"}, node=node)


async def test_what_moderators_take_away_is_noted(
    nodes: Nodes, people: People, database: Database
) -> None:
    """A post and a comment of others; what one takes away of one's own is not."""
    mo, _ = await moderators(nodes, people)
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[1])
    post, own = await ada.shares(), await mo.shares()
    comments = [await ben.comments(post, f"{n}") for n in range(3)]
    await mo.deletes(comments[0])
    await ada.deletes(comments[1])
    await ben.deletes(comments[2])
    await mo.asks("post:hide", {"post_id": post["id"], "hidden": True, "reason": " spam "})
    await mo.asks("post:delete", {"post_id": post["id"]})
    await mo.asks("post:delete", {"post_id": own["id"]})
    subjects = [post["id"], own["id"], *(comment["id"] for comment in comments)]
    assert await noted(database, *subjects) == [
        (mo.id, "deleted", None),
        (mo.id, "hidden", "spam"),
        (mo.id, "deleted", None),
    ]
    await assert_sound(database)
