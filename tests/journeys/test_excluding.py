"""Hiding or deleting a post ends its watching for those whom that excludes, in the sequence of entries."""

import asyncio
from contextlib import suppress
from itertools import chain
from typing import Any

from store.database import Database
from tests.journal import journal_of
from tests.nodes import Node
from tests.people import COMMUNITY, People, Person, Visitor, refused
from tests.screens import NODE_POLLING, NODE_WEBSOCKET, PYTHON_POLLING, PYTHON_WEBSOCKET, Refused

Nodes = tuple[Node, Node]

TRANSPORTS = (NODE_WEBSOCKET, NODE_POLLING, PYTHON_WEBSOCKET, PYTHON_POLLING)


async def moderates(moderator: Person, path: str, json: Any, node: Node) -> None:
    answer = await moderator._people.rest.send(
        node, "PUT", f"{COMMUNITY}/admin/{path}", token=moderator.token(), json=json
    )
    assert answer.status == 200, answer.body


async def strangers_everywhere(nodes: Nodes, people: People, post: Any) -> list[Visitor]:
    """A user and a visitor at each node over each transport, who watch the post and the gallery."""
    strangers: list[Visitor] = []
    for node in nodes:
        for place, over in enumerate(TRANSPORTS):
            person = people.visitor() if place % 2 else people.named("Sam")[0]
            await person.comes_to(node, over)
            await person.watches(post)
            await person.screen.watches("gallery")
            strangers.append(person)
    return strangers


async def test_nothing_follows_a_hiding_for_strangers(
    nodes: Nodes, people: People, database: Database
) -> None:
    """In the midst of others' writes, on two nodes, over WebSocket and polling; owner and moderator hear all."""
    ada, ben, mo = people.named("Ada", "Ben", "Mo")
    mo.role = "moderator"
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[1])
    await mo.comes_to(nodes[1], NODE_POLLING)
    post = await ada.shares()
    strangers = await strangers_everywhere(nodes, people, post)
    for person in (ada, mo):
        await person.watches(post)

    async def writes(person: Person) -> None:
        with suppress(Refused):  # once it is hidden from them
            for n in range(30):
                await person.comments(post, f"{person.name} {n}")
                await person.likes(post)
                await person.unlikes(post)

    writers = [asyncio.create_task(writes(person)) for person in (ada, ben)]
    await mo.sees("comment:created")
    await moderates(mo, f"posts/{post['id']}/hide", {"hidden": True, "reason": "spam"}, nodes[0])
    await asyncio.gather(*writers)
    last = await ada.comments(post, "Only the two of us now.")

    journal = await journal_of(database, post["topic"])
    (hidden_at,) = [event.seq for event in journal if event.name == "post:hidden"]
    assert hidden_at is not None
    assert len(journal) > hidden_at
    for person in (ada, mo):
        await person.sees("comment:created", comment=last_as_told(last))
        await person.screen.reaches(post["topic"], len(journal))
        assert len({*person.screen.seqs(post["topic"])}) == len(person.screen.seqs(post["topic"]))
    for person in strangers:
        await person.screen.reaches(post["topic"], hidden_at)
        gone = await person.sees("post:hidden", post_id=post["id"])
        assert {gone.topic} <= {post["topic"], "gallery"}
        with refused("NOT_FOUND"):
            await person.watches(post)
    # A round trip on each connection later nothing has come after it.
    for person in strangers:
        assert person.screen.seqs(post["topic"])[-1] == hidden_at
        assert [event.name for event in person.screen.told(post["topic"])][-1] == "post:hidden"

    await moderates(mo, f"posts/{post['id']}/hide", {"hidden": False}, nodes[1])
    stranger = strangers[0]
    shown = await stranger.sees("post:updated")
    assert (shown.topic, shown.data["post"]["id"]) == ("gallery", post["id"])
    since = stranger.screen.position(post["topic"])
    again = await stranger.watches(post, since)
    assert again["recovered"]
    assert "post:updated" in [name for name, _, _ in again["events"]]
    await ada.likes(post)
    await stranger.sees("post:liked", like_count=1)


def last_as_told(comment: Any) -> Any:
    return {name: comment[name] for name in comment if name not in ("can_edit", "can_delete")}


async def test_a_deleted_post_is_watched_by_nobody(nodes: Nodes, people: People) -> None:
    """Its owner and moderators too hear that it is gone, and that is the last."""
    ada, mo = people.named("Ada", "Mo")
    mo.role = "moderator"
    await ada.comes_to(nodes[0])
    await mo.comes_to(nodes[1])
    post = await ada.shares()
    strangers = await strangers_everywhere(nodes, people, post)
    for person in (ada, mo):
        await person.watches(post)
    await ada.likes(post)
    await ada.asks("post:delete", {"post_id": post["id"]})
    for person in chain(strangers, (ada, mo)):
        await person.screen.reaches(post["topic"], 2)
        assert [event.name for event in person.screen.told(post["topic"])][-1] == "post:deleted"
        with refused("NOT_FOUND"):
            await person.watches(post)


async def test_whoever_ceases_to_moderate_ceases_to_watch(nodes: Nodes, people: People) -> None:
    """A token with a lesser role ends the watching of what is hidden, and of nothing else."""
    ada, mo = people.named("Ada", "Mo")
    mo.role = "moderator"
    await ada.comes_to(nodes[0])
    await mo.comes_to(nodes[1])
    hidden, shown = await ada.shares(), await ada.shares()
    await mo.asks("post:hide", {"post_id": hidden["id"], "hidden": True})
    for post in (hidden, shown):
        await mo.watches(post)
    await mo.asks("auth:refresh", {"token": mo.token()})
    await ada.comments(hidden, "Mo reads this")
    await mo.sees("comment:created", post_id=hidden["id"])
    mo.role = None
    await mo.asks("auth:refresh", {"token": mo.token()})
    await ada.comments(hidden, "Mo does not read this")
    await ada.comments(shown, "But this")
    await mo.sees("comment:created", post_id=shown["id"])
    await mo.asks("post:get", {"post_id": shown["id"]})
    told = [
        event.data["comment"]["content"]
        for event in mo.screen.events
        if event.name == "comment:created"
    ]
    assert told == ["Mo reads this", "But this"]
    with refused("NOT_FOUND"):
        await mo.watches(hidden)
