"""What a session's id tells of its owner, and that it tells nobody how to guess another."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gateway.sockets.owner import GENERATIONS, SLOTS, Owner, new_node

owners = st.builds(
    Owner,
    st.builds(lambda _: new_node(), st.none()),
    st.integers(0, SLOTS - 1),
    st.integers(0, GENERATIONS - 1),
)


@given(owners)
def test_a_sid_names_its_owner(owner: Owner) -> None:
    """It has 20 url-safe characters, of which 14 are chance."""
    sids = {owner.new_sid() for _ in range(50)}
    assert len({sid[6:] for sid in sids}) == 50
    for sid in sids:
        assert re.fullmatch(r"[A-Za-z0-9_-]{20}", sid)
        assert sid.startswith(owner.name)
        assert Owner.of(sid) == owner


@given(st.text(max_size=30))
def test_whatever_a_client_says_names_an_owner_or_nobody(sid: str) -> None:
    """It never breaks, and never leads out of the folder of sockets."""
    owner = Owner.of(sid)
    if owner is not None:
        assert 0 <= owner.slot < SLOTS
        assert 0 <= owner.generation < GENERATIONS
        assert owner.http_socket("/folder").parent.as_posix() == "/folder"


def test_what_is_no_sid_names_nobody() -> None:
    """Too short, too long, or made of other characters."""
    sid = Owner("node", 1, 2).new_sid()
    assert [Owner.of(each) for each in ("", sid[:-1], sid + "A", "é" * 20)] == [None] * 4
    assert Owner.of("node!!" + sid[6:]) is None
