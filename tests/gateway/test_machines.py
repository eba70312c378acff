"""Looking for a machine by the name in a session's id, which is whatever a client says."""

import asyncio
from datetime import timedelta

import pytest

from gateway.machines import Machines
from gateway.startup import CannotStart
from handlers.operation import Refusal


class Registry:
    """The machines that are told, and how often it was asked."""

    def __init__(self, **machines: str) -> None:
        self.machines = machines
        self.asked = 0
        self.away = False
        self.taken = False

    async def announce(self, node: str, url: str, lease: timedelta) -> bool:
        return not self.taken

    async def addresses(self) -> dict[str, str]:
        self.asked += 1
        if self.away:
            raise Refusal("UNAVAILABLE", "The database is away.")
        return dict(self.machines)


async def test_names_that_are_made_up_share_one_look() -> None:
    """However many there are at a time."""
    registry = Registry(aaaa="http://a:1")
    machines = Machines(registry, "here", "http://here:1")
    made_up = (machines.find(f"x{number:03}") for number in range(1000))
    assert await asyncio.gather(*made_up) == [None] * 1000
    assert registry.asked == 1
    assert await machines.find("aaaa") == "http://a:1"
    assert registry.asked == 1


async def test_a_machine_that_is_new_is_found() -> None:
    """With the next look, which is soon."""
    registry = Registry()
    machines = Machines(registry, "here", "http://here:1")
    assert await machines.find("aaaa") is None
    registry.machines["aaaa"] = "http://a:1"
    assert await machines.find("aaaa") == "http://a:1"


async def test_without_the_database_the_machines_that_were_known_will_do() -> None:
    """Nothing is forgotten because nobody could be asked."""
    registry = Registry(aaaa="http://a:1")
    machines = Machines(registry, "here", "http://here:1")
    assert await machines.find("aaaa") == "http://a:1"
    registry.away = True
    assert await machines.find("xxxx") is None
    assert await machines.find("aaaa") == "http://a:1"


async def test_a_machine_without_an_address_is_on_its_own() -> None:
    """It forwards nothing, as nobody could forward to it."""
    registry = Registry(aaaa="http://a:1")
    machines = Machines(registry, "here", "")
    assert await machines.find("aaaa") is None
    assert machines.known == 1
    assert registry.asked == 0


async def test_a_name_that_another_machine_has_stops_the_start() -> None:
    """In one line; the next start makes another name."""
    registry = Registry()
    registry.taken = True
    with pytest.raises(CannotStart, match="start again"):
        await Machines(registry, "here", "http://here:1").join()
