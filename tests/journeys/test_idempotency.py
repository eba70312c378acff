"""`Idempotency-Key` over REST: sent again, on any node and whatever went wrong, it is done once."""

import asyncio
import signal
from uuid import uuid4

import aiohttp
import pytest

from store.database import Database
from tests.nodes import GENEROUS, Installation, Node
from tests.people import Answer, People, Person, client_id, problem_of
from tests.screens import Json
from tests.store.audit import assert_sound
from tests.waiting import DEADLINE

Nodes = tuple[Node, Node]

REPLAYED = "Idempotency-Replayed"
ASSET = {"asset_type": "overlay", "url": "https://example.org/a.png"}


async def send(
    who: Person, event: str, payload: Json, key: str, node: Node | None = None
) -> Answer:
    return await who.requests(event, payload, node=node, headers={"Idempotency-Key": key})


async def creations(ada: Person, ben: Person) -> dict[str, Json]:
    """One of everything that can be made."""
    post = await ben.shares()
    return {
        "asset:create": ASSET,
        "post:create": {"asset_id": (await ada.makes())["id"], "title": "Dusk", "tags": ["b", "a"]},
        "comment:create": {"post_id": post["id"], "content": "Nice."},
        "post:report": {"post_id": post["id"], "reason": "spam", "details": "Look."},
    }


async def counted(database: Database) -> list[int]:
    (row,) = await database.fetch(
        "select (select count(*) from assets), (select count(*) from community_posts), "
        "(select count(*) from community_comments), (select count(*) from community_reports)"
    )
    return list(row)


async def test_the_same_key_gives_the_first_answer(
    nodes: Nodes, people: People, database: Database
) -> None:
    """Status and body, on any node, marked; whatever has become of what was made. One thing is made."""
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[0])
    for event, payload in (await creations(ada, ben)).items():
        before, key = await counted(database), str(uuid4())
        first = await send(ada, event, payload, key)
        assert (first.status, REPLAYED in first.headers) == (201, False)
        if event == "post:create":
            await ada.asks("post:update", {"post_id": first.body["id"], "title": "Dawn"})
        if event == "comment:create":
            await ada.deletes(first.body)
        for node in nodes:
            again = await send(ada, event, dict(reversed(payload.items())), key, node)
            assert (again.status, again.body) == (201, first.body)
            assert again.headers[REPLAYED] == "true"
        after = await counted(database)
        assert sum(after) - sum(before) == (event != "comment:create")
    await assert_sound(database)


async def test_another_body_conflicts(nodes: Nodes, people: People, database: Database) -> None:
    """In any field, the ones in the path too; nothing is made, and the first answer stays."""
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[0])
    post, other = await ben.shares(), await ben.shares()
    payload, key = {"post_id": post["id"], "content": "Nice."}, str(uuid4())
    first = await send(ada, "comment:create", payload, key)
    before = await counted(database)
    for change in ({"content": "nice."}, {"post_id": other["id"]}, {"id": client_id()}):
        answer = await send(ada, "comment:create", {**payload, **change}, key, nodes[1])
        problem = problem_of(answer)
        assert (problem.status, problem.code) == (409, "IDEMPOTENCY_CONFLICT")
        assert problem.details == {"idempotency_key": key}
    assert await counted(database) == before
    assert (await send(ada, "comment:create", payload, key)).body == first.body


async def test_a_key_is_its_users_and_its_operations(nodes: Nodes, people: People) -> None:
    """Others may use the same word, and one may use it for something else."""
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[0])
    made = [await send(who, "asset:create", ASSET, "1") for who in (ada, ben)]
    assert [answer.status for answer in made] == [201, 201]
    assert made[0].body["id"] != made[1].body["id"]
    post = {"asset_id": made[0].body["id"], "title": "Dusk"}
    assert (await send(ada, "post:create", post, "1")).status == 201


async def test_a_key_and_an_id_of_ones_own(nodes: Nodes, people: People) -> None:
    """Both may be given: the id is what is made, the key brings back the first answer."""
    (ada,) = people.named("Ada")
    await ada.comes_to(nodes[0])
    asset = {**ASSET, "id": client_id()}
    first = await send(ada, "asset:create", asset, "both")
    assert (first.status, first.body["id"]) == (201, asset["id"])
    assert (await send(ada, "asset:create", asset, "both")).headers[REPLAYED] == "true"
    other = await send(ada, "asset:create", asset, "another")
    assert (other.status, other.body, REPLAYED in other.headers) == (200, first.body, False)


async def test_requests_at_once_have_one_effect(
    nodes: Nodes, people: People, database: Database
) -> None:
    """Ten on each of two nodes: all are answered alike, one thing is made, and one is told so."""
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[0])
    for event, payload in (await creations(ada, ben)).items():
        before, key = await counted(database), str(uuid4())
        answers = await asyncio.gather(
            *(send(ada, event, payload, key, node) for node in nodes for _ in range(10))
        )
        assert {answer.status for answer in answers} == {201}, event
        assert all(answer.body == answers[0].body for answer in answers)
        assert sum(REPLAYED not in answer.headers for answer in answers) == 1
        assert sum(await counted(database)) - sum(before) == 1
    await assert_sound(database)


HOLD = """
create function hold() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('hold', 0));
    return new;
end
$$;
create trigger hold before update on idempotency_keys for each row execute function hold()
"""


async def test_a_crash_before_the_answer_was_kept(
    installation: Installation, nodes: Nodes, people: People, database: Database
) -> None:
    """A node is killed between the commit of what was asked for and that of the answer: nothing is done twice."""
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[0])
    payloads = await creations(ada, ben)
    before = await counted(database)
    doomed = await installation.start(**GENEROUS)
    keys = {event: str(uuid4()) for event in payloads}

    async def is_cut_off(event: str) -> None:
        with pytest.raises(aiohttp.ClientError):
            await send(ada, event, payloads[event], keys[event], doomed)

    async with asyncio.timeout(DEADLINE):
        await database.execute(HOLD)
        async with database.leadership("hold"):
            requests = [asyncio.create_task(is_cut_off(event)) for event in payloads]
            while sum(await counted(database)) < sum(before) + 4:
                await asyncio.sleep(0.01)
            await doomed.stop(signal.SIGKILL)
            await asyncio.gather(*requests)
        await database.execute("drop function hold cascade")
    made = await counted(database)
    for event, payload in payloads.items():
        answers = [await send(ada, event, payload, keys[event], node) for node in nodes]
        assert [answer.status for answer in answers] == [201, 201]
        assert answers[0].body == answers[1].body
    assert await counted(database) == made == [count + 1 for count in before]
    await assert_sound(database)


async def test_a_refusal_is_not_kept(nodes: Nodes, people: People, database: Database) -> None:
    """What was refused may be sent again under its key, and is looked at anew; changed, it takes a new key."""
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[0])
    post = await ben.shares()
    comment = {"post_id": post["id"], "content": "Nice."}
    await database.fetch("update community_posts set is_hidden = true where id = $1", post["id"])
    refused = await send(ada, "comment:create", comment, "again")
    assert problem_of(refused).code == "COMMUNITY_POST_NOT_FOUND"
    await database.fetch("update community_posts set is_hidden = false where id = $1", post["id"])
    assert (await send(ada, "comment:create", comment, "again")).status == 201
    # A request of the wrong shape never came as far as its key.
    misshapen = await send(ada, "comment:create", {**comment, "content": ""}, "shape")
    assert problem_of(misshapen).code == "VALIDATION_ERROR"
    assert (await send(ada, "comment:create", comment, "shape")).status == 201


@pytest.mark.parametrize("event", ["comment:create", "post:like"])
async def test_bad_keys_are_refused(nodes: Nodes, people: People, event: str) -> None:
    """1 to 255 visible characters, once."""
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[0])
    payload: Json = {"post_id": (await ben.shares())["id"]}
    if event == "comment:create":
        payload["content"] = "Nice."
    for bad in ("", " ", "a b", "a" * 256, "é", "a\tb"):
        problem = problem_of(await send(ada, event, payload, bad))
        assert (problem.status, problem.code) == (422, "VALIDATION_ERROR")
        assert list(problem.details) == ["Idempotency-Key"]
    for good in ("!", '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "~" * 255):
        assert (await send(ada, event, payload, good)).status in (200, 201)


async def test_a_key_does_no_harm_elsewhere(nodes: Nodes, people: People) -> None:
    """What sets a state or reads is done as ever: it says how things are now."""
    ada, ben = people.named("Ada", "Ben")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[0])
    post = {"post_id": (await ben.shares())["id"]}
    answers = [
        await send(ada, event, post, "one")
        for event in ("post:like", "post:like", "post:unlike", "post:get", "post:get")
    ]
    assert [answer.status for answer in answers] == [200] * 5
    assert [answer.body.get("changed") for answer in answers[:3]] == [True, False, True]
    assert not any(REPLAYED in answer.headers for answer in answers)
