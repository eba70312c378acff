"""What each role may do to each table from outside, tried over real connections.

Each deed below is tried as a visitor, a stranger, the owner of the posts, a banned user and a moderator; all
but the visitor have a like and a comment of their own on each of the owner's posts. The numbers say how many
rows it reaches; NO stands where the database refuses.
"""

# ruff: noqa: S608 (deeds are our own text)

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from store.database import Database
from tests.outside import PASSWORD, Outside, Outsider
from tests.store.audit import assert_sound
from tests.store.people import People, Person

NO = "refused"
WHO = ("visitor", "stranger", "owner", "banned", "moderator")
EDIT_MINUTES = 15


@dataclass
class World:
    """The people, and the ids that deeds are about."""

    sessions: dict[str, Outsider]
    me: dict[str, dict[str, Any]]
    ids: dict[str, Any]

    async def tries(self, who: str, deed: str) -> int | str:
        """How many rows a deed reaches, or NO. Nothing of it stays."""
        statement = deed.format_map({**self.ids, **self.me[who]})
        async with self.sessions[who].transaction() as connection:
            inner = connection.transaction()
            await inner.start()
            try:
                status = await connection.execute(statement)
            except asyncpg.InsufficientPrivilegeError:
                return NO
            finally:
                await inner.rollback()
            return int(status.rsplit(" ", 1)[-1])


@pytest.fixture(scope="module")
async def world(database: Database, outside: Outside) -> AsyncIterator[World]:
    people = People(database)
    owner, stranger, banned, bystander = await people.crowd("Owner", "Str", "Ban", "By")
    moderator = await people.person("Mo", moderates=True)
    visible, hidden = await owner.shares("Seen"), await owner.shares("Hidden")
    shown = await owner.shares("Open", prompt="a cat", show_prompt=True)
    other = await bystander.shares("Other", inspired_by=hidden, prompt="a dog", show_prompt=False)
    me: dict[str, dict[str, Any]] = {}
    actors = {"stranger": stranger, "owner": owner, "banned": banned, "moderator": moderator}
    for name, person in actors.items():
        me[name] = await mine(people, person, visible, hidden)
        await person.follows(bystander)
    me["visitor"] = me["stranger"]
    theirs = await bystander.comments(visible)
    await bystander.likes(visible)
    await bystander.comments(hidden)
    await bystander.likes(hidden)
    await bystander.reports(visible)
    await stranger.reports(visible)
    await owner.follows(stranger)
    await people.hide(hidden)
    await people.ban(banned)
    unshared = await owner.makes()
    ids = {
        "owner": owner.id,
        "bystander": bystander.id,
        "visible": visible.id,
        "hidden": hidden.id,
        "shown": shown.id,
        "other": other.id,
        "theirs": theirs.id,
        "unshared": unshared.id,
        "nowhere": "00000000-0000-4000-8000-000000000000",
    }
    sessions = {name: outside.user(person) for name, person in actors.items()}
    sessions["visitor"] = outside.visitor()
    yield World(sessions, {who: _quoted(of) for who, of in me.items()}, _quoted(ids))
    await database.fetch("update community_comments set created_at = updated_at")
    await assert_sound(database)


async def mine(people: People, person: Person, visible: Any, hidden: Any) -> dict[str, Any]:
    asset = await person.makes()
    comment, below = await person.comments(visible), await person.comments(hidden)
    old = await person.comments(visible, "Old.")
    await people.age(old, EDIT_MINUTES + 0.01)
    for post in (visible, hidden):
        await person.likes(post)
    return {
        "me": person.id,
        "asset": asset.id,
        "comment": comment.id,
        "below": below.id,
        "old": old.id,
    }


def _quoted(ids: dict[str, Any]) -> dict[str, str]:
    return {name: f"'{identifier}'" for name, identifier in ids.items()}


POSTS = {
    "select id from community_posts where id in ({visible}, {hidden})": (1, 1, 2, 1, 2),
    "select id from community_posts where id = {hidden}": (0, 0, 1, 0, 1),
    "select count(*) from community_posts where is_hidden having count(*) > 0": (0, 0, 1, 0, 1),
    "select prompt_used from community_posts": (NO, NO, NO, NO, NO),
    "select inspired_by_post_id from community_posts": (NO, NO, NO, NO, NO),
    "select from visible_posts where id in ({visible}, {hidden})": (1, 1, 2, 1, 2),
    "select from visible_posts where prompt_used = 'a cat'": (1, 1, 1, 1, 1),
    "select from visible_posts where prompt_used = 'a dog'": (0, 0, 0, 0, 0),
    "select from visible_posts where inspired_by_post_id = {hidden}": (0, 0, 1, 0, 1),
    "insert into community_posts (user_id, asset_id, title) values ({me}, {asset}, 'New')": (
        *(NO, 1, 1, NO, 1),
    ),
    "insert into community_posts (user_id, asset_id, title) values ({me}, {unshared}, 'New')": (
        *(NO, NO, 1, NO, NO),
    ),
    "insert into community_posts (user_id, asset_id, title) values ({me}, {nowhere}, 'New')": (
        *(NO, NO, NO, NO, NO),
    ),
    "insert into community_posts (user_id, asset_id, title) values ({bystander}, {asset}, 'New')": (
        *(NO, NO, NO, NO, NO),
    ),
    "insert into community_posts (user_id, asset_id, title, inspired_by_post_id) "
    "values ({me}, {asset}, 'New', {hidden})": (NO, NO, 1, NO, 1),
    "insert into community_posts (user_id, asset_id, title, inspired_by_post_id) "
    "values ({me}, {asset}, 'New', {nowhere})": (NO, NO, NO, NO, NO),
    "insert into community_posts (id, user_id, asset_id, title) "
    "values ({hidden}, {me}, {asset}, 'New')": (NO, NO, NO, NO, NO),
    "insert into community_posts (user_id, asset_id, title, like_count) "
    "values ({me}, {asset}, 'New', 5)": (NO, NO, NO, NO, NO),
    "update community_posts set title = 'Other' where id = {visible}": (NO, 0, 1, 0, 0),
    "update community_posts set show_prompt = false, tags = '{{x}}', description = null "
    "where id = {hidden}": (NO, 0, 1, 0, 0),
    **{
        f"update community_posts set {column} = {column} where id = {{visible}}": (NO,) * 5
        for column in (
            *("like_count", "comment_count", "view_count", "is_hidden", "is_featured", "user_id"),
            *("asset_id", "prompt_used", "created_at"),
        )
    },
    "select id from community_posts where id in ({visible}, {hidden}) for update": (NO, 0, 2, 0, 0),
    "delete from community_posts where id = {visible}": (NO, 0, 1, 0, 1),
    "delete from community_posts where id = {hidden}": (NO, 0, 1, 0, 1),
}
LIKES = {
    "select from community_likes where post_id = {visible}": (5, 5, 5, 5, 5),
    "select from community_likes where post_id = {hidden}": (0, 0, 5, 0, 5),
    "insert into community_likes (post_id, user_id) values ({shown}, {me})": (NO, 1, 1, NO, 1),
    "insert into community_likes (post_id, user_id) values ({shown}, {bystander})": (NO,) * 5,
    "insert into community_likes (id, post_id, user_id) values ({nowhere}, {shown}, {me})": (NO,)
    * 5,
    "update community_likes set created_at = now() where user_id = {me}": (NO,) * 5,
    "delete from community_likes where post_id = {visible} and user_id = {me}": (NO, 1, 1, 0, 1),
    "delete from community_likes where post_id = {hidden} and user_id = {me}": (NO, 0, 1, 0, 1),
    "delete from community_likes where user_id = {bystander}": (NO, 0, 0, 0, 0),
}
COMMENTS = {
    "select from community_comments where post_id = {visible}": (9, 9, 9, 9, 9),
    "select from community_comments where post_id = {hidden}": (0, 0, 5, 0, 5),
    "insert into community_comments (post_id, user_id, content) values ({visible}, {me}, 'Hm.')": (
        *(NO, 1, 1, NO, 1),
    ),
    "insert into community_comments (post_id, user_id, content) values ({hidden}, {me}, 'Hm.')": (
        *(NO, NO, 1, NO, 1),
    ),
    "insert into community_comments (post_id, user_id, content) values ({nowhere}, {me}, 'Hm.')": (
        *(NO, NO, NO, NO, NO),
    ),
    "insert into community_comments (post_id, user_id, content) values ({visible}, {owner}, 'Hm.')": (
        *(NO, NO, 1, NO, NO),
    ),
    "update community_comments set content = 'Hm!' where id = {comment}": (NO, 1, 1, 0, 1),
    "update community_comments set content = 'Hm!' where id = {old}": (NO, 0, 0, 0, 0),
    "update community_comments set content = 'Hm!' where id = {below}": (NO, 0, 1, 0, 1),
    "update community_comments set content = 'Hm!' where id = {theirs}": (NO, 0, 0, 0, 0),
    "update community_comments set is_edited = false where id = {comment}": (NO,) * 5,
    "update community_comments set created_at = now() where id = {old}": (NO,) * 5,
    "delete from community_comments where id = {comment}": (NO, 1, 1, 0, 1),
    "delete from community_comments where id = {old}": (NO, 1, 1, 0, 1),
    "delete from community_comments where id = {below}": (NO, 0, 1, 0, 1),
    "delete from community_comments where id = {theirs}": (NO, 0, 1, 0, 1),
}
FOLLOWS = {
    "select from community_follows where following_id = {bystander}": (4, 4, 4, 4, 4),
    "insert into community_follows (follower_id, following_id) values ({bystander}, {owner})": (
        *(NO, NO, NO, NO, NO),
    ),
    "delete from community_follows where following_id = {bystander}": (NO, 1, 1, 0, 1),
    "update community_follows set following_id = {owner} where follower_id = {me}": (NO,) * 5,
}
REPORTS = {
    "select from community_reports": (NO,) * 5,
    "select id from community_reports where reporter_id = {me}": (NO,) * 5,
    "insert into community_reports (post_id, reporter_id, reason) values ({shown}, {me}, 'spam')": (
        *(NO, 1, 1, NO, 1),
    ),
    "insert into community_reports (post_id, reporter_id, reason) values ({hidden}, {me}, 'spam')": (
        *(NO, NO, 1, NO, 1),
    ),
    "insert into community_reports (post_id, reporter_id, reason) "
    "values ({shown}, {bystander}, 'spam')": (NO,) * 5,
    "insert into community_reports (post_id, reporter_id, reason, status) "
    "values ({shown}, {me}, 'spam', 'dismissed')": (NO,) * 5,
    "insert into community_reports (post_id, reporter_id, reason) values ({shown}, {me}, 'spam') "
    "returning id": (NO,) * 5,
    "update community_reports set status = 'dismissed'": (NO,) * 5,
    "delete from community_reports": (NO,) * 5,
}
USERS = {
    "select id, display_name, avatar_url, subscription_tier, created_at from users "
    "where id = {bystander}": (1, 1, 1, 1, 1),
    **{
        f"select {column} from users": (NO,) * 5
        for column in ("external_id", "role", "tokens_valid_after")
    },
    "insert into users (id, external_id, display_name) values ({nowhere}, 'x', 'x')": (NO,) * 5,
    "update users set role = 'admin' where id = {me}": (NO,) * 5,
    "update users set display_name = 'x' where id = {me}": (NO,) * 5,
    "delete from users where id = {me}": (NO,) * 5,
}
STATS = {
    "select follower_count, following_count from community_user_stats where user_id = {owner}": (
        *(1, 1, 1, 1, 1),
    ),
    **{
        f"select {column} from community_user_stats": (NO,) * 5
        for column in (
            *("post_count", "total_likes_received", "is_banned", "banned_at", "banned_reason"),
        )
    },
    "select from visible_user_stats where user_id = {owner} and post_count = 2": (1, 1, 0, 1, 0),
    "select from visible_user_stats where user_id = {owner} and post_count = 3": (0, 0, 1, 0, 1),
    "select from visible_user_stats where user_id = {owner} and total_likes_received = 5": (
        *(1, 1, 0, 1, 0),
    ),
    "update community_user_stats set is_banned = false": (NO,) * 5,
    "insert into community_user_stats (user_id) values ({me})": (NO,) * 5,
    "delete from community_user_stats": (NO,) * 5,
}
ASSETS = {
    "select id, user_id, asset_type, url, created_at from assets where id = {asset}": (
        *(NO, 1, 1, 1, 1),
    ),
    "select id from assets where user_id = {bystander}": (NO, 0, 0, 0, 0),
    "select prompt from assets": (NO,) * 5,
    "insert into assets (user_id, asset_type, url, prompt) "
    "values ({me}, 'overlay', '/media/a.svg', 'x')": (NO, 1, 1, NO, 1),
    "insert into assets (user_id, asset_type, url) values ({bystander}, 'overlay', '/media/a.svg')": (
        *(NO, NO, NO, NO, NO),
    ),
    "update assets set url = '/media/b.svg'": (NO,) * 5,
    "delete from assets": (NO,) * 5,
}
DEEDS = {**POSTS, **LIKES, **COMMENTS, **FOLLOWS, **REPORTS, **USERS, **STATS, **ASSETS}


@pytest.mark.parametrize("deed", DEEDS)
async def test_a_deed_reaches_what_its_doer_may_know(world: World, deed: str) -> None:
    """Exactly so many rows, or none at all."""
    found = tuple([await world.tries(who, deed) for who in WHO])
    assert dict(zip(WHO, found, strict=True)) == dict(zip(WHO, DEEDS[deed], strict=True))


async def test_a_hidden_post_is_refused_like_one_that_is_not_there(world: World) -> None:
    """Word for word, whether the stranger likes it already or not: nothing tells that it exists."""
    deeds = (
        "insert into community_likes (post_id, user_id) values ({post}, {me})",
        "insert into community_likes (post_id, user_id) values ({post}, {me}) on conflict do nothing",
        "insert into community_comments (post_id, user_id, content) values ({post}, {me}, 'Hm.')",
        "insert into community_reports (post_id, reporter_id, reason) values ({post}, {me}, 'spam')",
        "insert into community_posts (user_id, asset_id, title, inspired_by_post_id) "
        "values ({me}, {asset}, 'New', {post})",
    )
    for deed in deeds:
        said = set()
        for post in ("hidden", "nowhere"):
            ids = {**world.ids, **world.me["stranger"], "post": world.ids[post]}
            with pytest.raises(asyncpg.InsufficientPrivilegeError) as caught:
                await world.sessions["stranger"].runs(deed.format_map(ids))
            said.add((str(caught.value), caught.value.detail, caught.value.constraint_name))
        assert len(said) == 1, deed


async def test_an_unknown_user_writes_nothing(world: World, outside: Outside) -> None:
    """A token that the gateway has not seen yet makes nobody."""
    stranger = world.me["stranger"]["me"]
    unknown = outside.session("authenticated", sub="00000000-0000-4000-8000-000000000001")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await unknown.runs(
            "insert into community_follows (follower_id, following_id) "
            f"values ('00000000-0000-4000-8000-000000000001', {stranger})"
        )


async def test_the_marker_alone_makes_no_gateway(world: World) -> None:
    """A session of another role that sets it is an outsider's all the same."""
    async with world.sessions["stranger"].transaction() as connection:
        await connection.execute("set local vernissage.gateway = 'on'")
        ids = {**world.ids, **world.me["stranger"]}
        (row,) = await connection.fetch(
            "insert into community_comments (post_id, user_id, content) "
            "values ({visible}, {me}, ' Hm. ') returning content".format_map(ids)
        )
        assert row["content"] == "Hm."
        await connection.execute("delete from community_comments where content = 'Hm.'")


async def test_the_owner_may_act_as_an_outsider(world: World, operator: Any) -> None:
    """With the address that a node leaves behind, at `psql`; and is bound by the same rules then."""
    ids = {**world.ids, **world.me["stranger"]}
    claims = json.dumps({"sub": ids["me"].strip("'")})
    seen = "select id from community_posts where id in ({visible}, {hidden})".format_map(ids)
    assert len(await operator.fetch(seen)) == 2
    for role in ("anon", "authenticated"):
        async with operator.transaction():
            await operator.execute(f"set local role {role}")
            await operator.execute("select set_config('request.jwt.claims', $1, true)", claims)
            assert len(await operator.fetch(seen)) == 1


async def test_a_role_that_inherits_the_rights_is_bound_by_the_rules(
    world: World, outside: Outside, superuser_url: str, database: Database
) -> None:
    """A program that logs in with a role of its own, and never says `set role`, is an outsider too."""
    root = await asyncpg.connect(superuser_url)
    await root.execute(f"create role application login password '{PASSWORD}' in role authenticated")
    await root.close()
    address = urlsplit(outside.owner_url)
    url = address._replace(
        netloc=f"application:{PASSWORD}@{address.hostname}:{address.port}"
    ).geturl()
    application = await asyncpg.connect(url)
    ids = {**world.ids, **world.me["stranger"]}
    claims = json.dumps({"sub": ids["me"].strip("'")})
    try:
        tried = application.transaction()
        await tried.start()
        await application.execute("select set_config('request.jwt.claims', $1, true)", claims)
        seen = "select id from community_posts where id in ({visible}, {hidden})"
        assert len(await application.fetch(seen.format_map(ids))) == 1
        status = await application.execute(
            "insert into community_likes (post_id, user_id) values ({shown}, {me})".format_map(ids)
        )
        assert status == "INSERT 0 1"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await application.execute(
                "insert into community_likes (post_id, user_id) values ({hidden}, {me})".format_map(
                    ids
                )
            )
        await tried.rollback()
    finally:
        await application.close()


async def test_what_is_written_is_completed(world: World) -> None:
    """A post has its asset's type, address and prompt; text and tags are clean; an edit is said to be one."""
    ids = {**world.ids, **world.me["stranger"]}
    async with world.sessions["stranger"].transaction() as connection:
        tried = connection.transaction()
        await tried.start()
        (post,) = await connection.fetch(
            "insert into community_posts (user_id, asset_id, title, description, tags) "
            "values ({me}, {asset}, ' New ', ' ', '{{ Neon ,neon}}') "
            "returning id, title, description, tags, asset_type, asset_url, like_count".format_map(
                ids
            )
        )
        assert tuple(post)[1:] == (
            *("New", None, ["neon"]),
            *("overlay", "https://example.org/picture.svg", 0),
        )
        (comment,) = await connection.fetch(
            "update community_comments set content = 'Hm!' where id = {comment} "
            "returning is_edited, updated_at > created_at".format_map(ids)
        )
        assert tuple(comment) == (True, True)
        await tried.rollback()


@pytest.mark.parametrize(
    "deed",
    [
        "insert into community_posts (user_id, asset_id, title) values ({me}, {asset}, ' ')",
        "insert into community_posts (user_id, asset_id, title) values ({me}, {asset}, U&'\\202e')",
        "insert into community_posts (user_id, asset_id, title, tags) "
        "values ({me}, {asset}, 'x', '{{a b}}')",
        "insert into community_posts (user_id, asset_id, title, tags) "
        "values ({me}, {asset}, 'x', '{{a,b,c,d,e,f}}')",
        "insert into community_posts (user_id, asset_id, title, description) "
        "values ({me}, {asset}, 'x', repeat('x', 501))",
        "insert into community_comments (post_id, user_id, content) "
        "values ({visible}, {me}, repeat('x', 1001))",
        "insert into community_reports (post_id, reporter_id, reason) values ({shown}, {me}, 'ugly')",
        "insert into community_reports (post_id, reporter_id, reason, details) "
        "values ({shown}, {me}, 'spam', repeat('x', 501))",
        "insert into community_follows (follower_id, following_id) values ({me}, {me})",
        "insert into assets (user_id, asset_type, url) values ({me}, 'overlay', 'javascript:1')",
        "insert into assets (user_id, asset_type, url) values ({me}, 'picture', '/media/a.svg')",
    ],
)
async def test_bad_input_is_refused(world: World, deed: str) -> None:
    """By a CHECK or by a trigger, which says what is wrong."""
    ids = {**world.ids, **world.me["stranger"]}
    with pytest.raises(asyncpg.CheckViolationError):
        await world.sessions["stranger"].runs(deed.format_map(ids))
