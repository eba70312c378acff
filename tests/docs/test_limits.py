"""Nothing waits for ever, nothing grows without bound: each limit has a name and a line that explains it."""

from tests.docs.limits import limits


def test_every_limit_is_explained() -> None:
    """In a docstring below it, which is what the page says."""
    assert [f"{each.file}: {each.name}" for each in limits() if not each.told] == []


def test_there_are_limits() -> None:
    """The scan sees what is there, in every room."""
    assert {each.file.partition("/")[0] for each in limits()} == {
        *("gateway", "handlers", "store", "pubsub")
    }
    assert len(list(limits())) > 150
