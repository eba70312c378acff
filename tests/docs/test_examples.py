"""The example programs of docs/examples do what docs/protocol.md says they do."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from store.database import Database
from tests.docs.examples import Run
from tests.docs.inserts import DOCS
from tests.nodes import Installation, Node
from tests.people import People
from tests.proxy import Proxy
from tests.waiting import until

Nodes = tuple[Node, Node]

ACTED = [
    "liked: true, changed: true, 1 likes",
    "commented once: true, How did you make this?",
    "edited: true, So that is how!",
    "deleted",
    "following: true, 1 followers",
]


@pytest.mark.parametrize("example", ["watch.mjs", "watch.py"])
async def test_a_watcher_stays_up_to_date_over_breaks(
    nodes: Nodes, people: People, database: Database, link: Proxy, run: Run, example: str
) -> None:
    """Live, then away and back with what was missed, then away for too long and reading afresh."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[0])
    post = await ada.shares()
    watcher = await run(example, post["id"], GATEWAY=link.url, TOKEN=bob.token())
    await watcher.prints("0 read: 0 likes, 0 comments")
    await bob.likes(post)
    await watcher.prints("1 post:liked: 1 likes, 0 comments")

    await link.cut()
    await watcher.prints("away: .*")
    comment = await bob.comments(post)
    await bob.edits(comment, "Very nice.")
    await bob.unlikes(post)
    await ada.likes(post)
    await link.mend()
    await watcher.prints("back, with 3 events to catch up")
    await watcher.prints("2 comment:created: 1 likes, 1 comments")
    await watcher.prints("3 comment:updated: 1 likes, 1 comments")
    await watcher.prints("5 post:liked: 1 likes, 1 comments")

    await link.cut()
    await watcher.prints("away: .*")
    await bob.deletes(comment)
    await bob.likes(post)
    await database.fetch("delete from events where topic = $1", post["topic"])  # as time does
    link.turn_to(nodes[1].url)
    await link.mend()
    await watcher.prints("7 read: 2 likes, 0 comments")
    await bob.unlikes(post)
    await watcher.prints("8 post:unliked: 1 likes, 0 comments")
    numbers = [int(line.split()[0]) for line in watcher.printed if line[0].isdigit()]
    assert numbers == [0, 1, 2, 3, 5, 7, 8]


@pytest.mark.parametrize("example", ["watch.mjs", "watch.py"])
async def test_a_watcher_without_a_token_is_a_visitor(
    nodes: Nodes, people: People, run: Run, example: str
) -> None:
    """It watches what is public."""
    (ada,) = people.named("Ada")
    await ada.comes_to(nodes[0])
    post = await ada.shares()
    watcher = await run(example, post["id"], GATEWAY=nodes[1].url)
    await watcher.prints("0 read: 0 likes, 0 comments")
    await ada.likes(post)
    await watcher.prints("1 post:liked: 1 likes, 0 comments")


@pytest.mark.parametrize("example", ["watch.mjs", "watch.py"])
async def test_a_watcher_says_why_it_is_refused(
    nodes: Nodes, people: People, run: Run, example: str
) -> None:
    """A bad token is refused, and so is a post that is not there."""
    (ada,) = people.named("Ada")
    nothing = "00000000-0000-7000-8000-000000000000"
    watcher = await run(example, nothing, GATEWAY=nodes[0].url, TOKEN=ada.token())
    await watcher.prints("refused: NOT_FOUND")
    token = ada.token(ttl=-60)
    watcher = await run(example, nothing, GATEWAY=nodes[0].url, TOKEN=token)
    assert await watcher.ends() == ["refused: TOKEN_EXPIRED"]


@pytest.mark.parametrize("example", ["act.mjs", "act.py"])
async def test_commands_are_answered(nodes: Nodes, people: People, run: Run, example: str) -> None:
    """Each with what was committed; a second try of a creation makes nothing new."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    post = await ada.shares()
    program = await run(example, post["id"], GATEWAY=nodes[1].url, TOKEN=bob.token())
    *acted, refused = await program.ends()
    assert [line.lower() for line in acted] == [line.lower() for line in ACTED]
    code, details = refused.removeprefix("refused: ").split(", ", 1)
    assert code == "VALIDATION_ERROR"
    assert json.loads(details) == {"content": "must have 1 to 1000 characters, has 0"}


@pytest.mark.parametrize("example", ["act.mjs", "act.py"])
async def test_a_command_that_comes_too_soon_is_sent_again_when_it_may_be(
    installation: Installation, nodes: Nodes, people: People, run: Run, example: str
) -> None:
    """`retry_after` says when; in the end everything was done, once."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    post = await ada.shares()
    strict = await installation.start(rate_limits="0.3")
    program = await run(example, post["id"], GATEWAY=strict.url, TOKEN=bob.token())
    printed = await program.ends()
    acted = [line.lower() for line in printed[:-1] if not line.startswith("wait: RATE_LIMITED")]
    assert acted == [line.lower() for line in ACTED]
    assert len(acted) < len(printed) - 1


@pytest.mark.parametrize("example", ["inbox.mjs", "inbox.py"])
async def test_an_inbox_follows_its_owner_over_breaks_and_past_a_token(
    nodes: Nodes, people: People, link: Proxy, run: Run, example: str
) -> None:
    """Notifications grow and are taken back; a new token extends the session; a break costs nothing."""
    ada, bob, cem = people.named("Ada", "Bob", "Cem")
    for person in (ada, bob, cem):
        await person.comes_to(nodes[0])
    post = await ada.shares()
    token = ada.token(ttl=62)
    inbox = await run(example, GATEWAY=link.url, AS=ada.id, TOKEN=token)
    await inbox.prints("hello Ada, recovered: false")
    await inbox.prints("refreshed")  # before anything else happens, however slow the machine is
    await bob.likes(post)
    await inbox.prints("post_liked ×1 by Bob: 1 in the inbox")
    await cem.likes(post)
    await inbox.prints("post_liked ×2 by Cem, Bob: 1 in the inbox")
    await bob.unlikes(post)
    await cem.unlikes(post)
    await inbox.prints("post_liked ×0 by nobody: 0 in the inbox")

    await link.cut()
    await inbox.prints("away: .*")
    await bob.follows(ada)
    await link.mend()
    await inbox.prints("hello Ada, recovered: true")
    await inbox.prints("user:followed: 1 followers")
    await inbox.prints("user_followed ×1 by Bob: 1 in the inbox")
    await bob.unfollows(ada)
    await inbox.prints("user:unfollowed: 0 followers")


async def test_the_same_goes_over_http(nodes: Nodes, people: People, run: Run) -> None:
    """The shell script reads, writes, and catches up with a topic, without a socket."""
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine (Debian: apt-get install curl)")
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    post = await ada.shares()
    script = await run("rest.sh", post["id"], GATEWAY=nodes[1].url, TOKEN=bob.token())
    printed = await script.ends()
    answers = [json.loads(line) for line in printed if line.startswith("{")]
    read, comments, stands, liked, commented, unliked, missed, problem = answers
    assert (read["id"], comments["total"], stands["seq"]) == (post["id"], 0, 0)
    assert (liked["like_count"], unliked["like_count"]) == (1, 0)
    assert commented["content"] == "Lovely."
    assert missed["recovered"]
    assert [name for name, _, _ in missed["events"]] == ["comment:created", "post:unliked"]
    assert problem["code"] == "COMMUNITY_POST_NOT_FOUND"
    assert "Content-Type: application/problem+json" in printed


async def test_a_consumer_keeps_what_it_was_told(
    nodes: Nodes,
    people: People,
    installation: Installation,
    database: Database,
    run: Run,
    tmp_path: Path,
) -> None:
    """Likes are counted in a file; the next run goes on with what happened meanwhile."""
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(nodes[0])
    await bob.comes_to(nodes[1])
    post = await ada.shares()
    file = tmp_path / "likes.db"

    def kept() -> int | None:
        with closing(sqlite3.connect(file)) as likes:
            found = likes.execute("select likes from likes where post = ?", (post["topic"],))
            return next((row[0] for row in found), None)

    await bob.likes(post)
    consumer = await run("consume.py", str(file), DATABASE_URL=installation.database_url)
    await consumer.prints(r"\d+ entries, up to post:.*")
    await until(lambda: kept() == 1, "a like", 60)
    await ada.likes(post)
    await until(lambda: kept() == 2, "another like", 60)
    await consumer.stop()
    await database.fetch("update consumers set held_until = now()")  # as time does
    await ada.asks("post:delete", {"post_id": post["id"]})
    again = await run("consume.py", str(file), DATABASE_URL=installation.database_url)
    await again.prints(r"\d+ entries, up to post:.*")
    await until(lambda: kept() is None, "a post that is gone", 60)


async def test_the_example_of_the_readme_runs(
    nodes: Nodes, people: People, run: Run, tmp_path: Path
) -> None:
    """Word for word, below the lines that say whose token it is and which post."""
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text()
    example = readme.split("```js\n")[1].split("```")[0]
    (ada,) = people.named("Ada")
    await ada.comes_to(nodes[0])
    post = await ada.shares()
    program = tmp_path / "readme.mjs"
    program.write_text(
        'import { io } from "socket.io-client";\n'
        f"const token = {json.dumps(ada.token())}, postId = {json.dumps(post['id'])};\n"
        + example.replace("http://localhost:8080", nodes[0].url)
    )
    running = await run(program)
    await running.prints("live from number 0")
    await running.prints("1 1")


async def test_the_client_librarys_page_is_a_program(
    nodes: Nodes, people: People, run: Run, tmp_path: Path
) -> None:
    """Every piece of it runs, after those before it, and says what one would expect."""
    pieces = (DOCS / "client.md").read_text().split("```js\n")[1:]
    ada, bob, cem = people.named("Ada", "Bob", "Cem")
    await ada.comes_to(nodes[0])
    await ada.shares("Dusk")
    program = tmp_path / "client.mjs"
    library = (DOCS.parent / "web" / "client" / "index.js").as_uri()
    program.write_text(
        'import { io } from "socket.io-client";\n'
        f"const askForToken = async () => ({{ token: {json.dumps(cem.token())} }});\n"
        f"const tokenOf = async () => {json.dumps(bob.token())};\n"
        + "".join(piece.split("```")[0] for piece in pieces)
        .replace("http://localhost:8080/client/index.js", library)
        .replace("http://localhost:8080", nodes[0].url)
        .replace("new Client({", "new Client({ io,")
    )
    running = await run(program)
    for line in (
        "1 likes",
        "said: Lovely light.",
        "1 comments",
        "liked: true",
        r"Dusk: 2 likes, \d here",
        "1 followers",
        "refused: VALIDATION_ERROR",
    ):
        await running.prints(line)
