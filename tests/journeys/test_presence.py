"""How many watch a post is seen by all who watch it, over all nodes."""

import signal

from tests.nodes import GENEROUS, Installation, Node
from tests.people import People
from tests.screens import NODE_POLLING, PYTHON_WEBSOCKET

Nodes = tuple[Node, Node]


async def test_those_who_watch_see_how_many_they_are(nodes: Nodes, people: People) -> None:
    """Users once, visitors each, whoever came last first; who comes and goes is seen at once on every node."""
    ada, ben = people.named("Ada", "Ben")
    visitor = people.visitor()
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[1], NODE_POLLING)
    await visitor.comes_to(nodes[1], PYTHON_WEBSOCKET)
    post = await ada.shares()
    topic = post["topic"]

    await ada.watches(post)
    first = await ada.sees("presence:changed", viewers=1)
    assert first.data == {"topic": topic, "viewers": 1, "sample": [ada.summary]}
    assert first.meta.keys() == {"topic", "at"}
    await ben.watches(post)
    for person in (ada, ben):
        await person.sees("presence:changed", viewers=2, sample=[ben.summary, ada.summary])
    await visitor.watches(post)
    for person in (ada, ben, visitor):
        await person.sees("presence:changed", viewers=3, sample=[ben.summary, ada.summary])

    # Ben again, at the other node: nothing changes, and that screen too gets to know.
    first_screen = ben.screen
    second_screen = await ben.comes_to(nodes[0])
    await ben.watches(post)
    await second_screen.sees("presence:changed", viewers=3)
    await first_screen.close()
    await ben.asks("topic:unwatch", {"topic": topic})
    for person in (ada, visitor):
        await person.sees("presence:changed", viewers=2, sample=[ada.summary])
    await visitor.leaves()
    await ada.sees("presence:changed", viewers=1)


async def test_those_whom_hiding_excludes_are_here_no_more(nodes: Nodes, people: People) -> None:
    """And see no more who is."""
    ada, ben, mo = people.named("Ada", "Ben", "Mo")
    mo.role = "moderator"
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[1])
    await mo.comes_to(nodes[1])
    post = await ada.shares()
    for person in (ada, ben):
        await person.watches(post)
    await ada.sees("presence:changed", viewers=2)
    await mo.asks("post:hide", {"post_id": post["id"], "hidden": True})
    await ada.sees("presence:changed", viewers=1, sample=[ada.summary])
    await mo.watches(post)
    await ada.sees("presence:changed", viewers=2, sample=[mo.summary, ada.summary])
    await ben.asks("post:page_mine", {})
    heard = [event.name for event in ben.screen.events if event.topic == post["topic"]]
    assert "presence:changed" not in heard[heard.index("post:hidden") :]


async def test_a_node_that_ends_takes_its_watchers_along(
    installation: Installation, nodes: Nodes, people: People
) -> None:
    """One that ends in order says so at once; how one that dies fades is in tests/pubsub."""
    ada, ben = people.named("Ada", "Ben")
    other = await installation.start(**GENEROUS)
    await ada.comes_to(nodes[0])
    await ben.comes_to(other)
    post = await ada.shares()
    for person in (ada, ben):
        await person.watches(post)
    await ada.sees("presence:changed", viewers=2)
    await other.stop(signal.SIGTERM)
    await ada.sees("presence:changed", viewers=1)
