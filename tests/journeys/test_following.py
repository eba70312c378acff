"""What one shares is told at once to those of one's followers who are here, and to nobody else."""

from tests.nodes import Node
from tests.people import People
from tests.screens import NODE_POLLING

Nodes = tuple[Node, Node]


async def test_followers_are_told_of_a_new_post(nodes: Nodes, people: People) -> None:
    """On every node and screen, on their own topic, without a place in its journal; the creator is not."""
    ada, ben, cid, dan = people.named("Ada", "Ben", "Cid", "Dan")
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[0])
    await cid.comes_to(nodes[1], NODE_POLLING)
    await dan.comes_to(nodes[1])
    for follower in (ben, cid):
        await follower.follows(ada)
    screens = [ben.screen, cid.screen, await ben.comes_to(nodes[1])]

    asset = await ada.makes(prompt="a secret")
    post = await ada.shares("Dusk", asset_id=asset["id"], show_prompt=False)
    for screen in screens:
        news = await screen.sees("feed:post_created")
        assert news.meta.keys() == {"topic", "at"}
        assert news.topic == screen.own_topic
        shared = news.data["post"]
        assert (shared["id"], shared["author"]) == (post["id"], ada.summary)
        assert shared["prompt_used"] is None
        assert not {"is_liked", "topic", "seq"} & shared.keys()

    await cid.unfollows(ada)
    second = await ada.shares("Dawn")
    for screen in (screens[0], screens[2]):
        await screen.sees("feed:post_created")
    # Dan and Cid sit at the node that told Ben's second screen: they would have been told with it.
    for person in (ada, cid, dan):
        await person.asks("post:get", {"post_id": second["id"]})
        told = [e.data["post"]["id"] for e in person.screen.events if e.name == "feed:post_created"]
        assert told == ([post["id"]] if person is cid else [])
