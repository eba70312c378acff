"""What one has seen on one screen is seen on the others."""

from tests.nodes import Node
from tests.people import People

Nodes = tuple[Node, Node]


async def test_all_screens_of_a_user_learn_what_was_seen(nodes: Nodes, people: People) -> None:
    """On another node too, live; and whoever comes back finds it in what was missed."""
    ada, ben = people.named("Ada", "Ben")
    tab = await ada.comes_to(nodes[1])
    await ada.comes_to(nodes[0])
    await ben.comes_to(nodes[0])
    post = await ada.shares("Dusk")
    await ben.likes(post)
    await ben.follows(ada)
    for _ in range(2):
        await tab.sees("notification:created")
    away = tab.position(tab.own_topic)
    page = await ada.asks("notification:page")
    assert await ada.gets("notification:page", {}, node=nodes[1]) == page
    followed, liked = page["items"]
    assert (page["unseen_count"], liked["subject"]["title"]) == (2, "Dusk")

    seen = await ada.gets("notification:see", {"ids": [liked["id"]]})

    assert seen == {"ids": [liked["id"]], "unseen_count": 1}
    told = await tab.sees("notification:updated", id=liked["id"])
    assert told.data == {**liked, "seen": True}
    seen = await ada.asks("notification:see", {"before": followed["updated_at"]})
    assert seen == {"ids": [followed["id"]], "unseen_count": 0}
    await tab.sees("notification:updated", id=followed["id"], seen=True)
    back = await ada.comes_to(nodes[0], since=away)
    for notification in (liked, followed):
        await back.sees("notification:updated", id=notification["id"], seen=True)
    assert (await ada.gets("notification:page", {}))["unseen_count"] == 0
