"""One topic on one node: entries put into order. Pure; who watches and where entries come from is the hub's."""

from collections import deque
from collections.abc import Collection, Iterable, Sequence

from gateway.delivery.message import Message

RING_ENTRIES = 256
"""The newest entries that a node keeps of a watched topic, to replay without asking the journal."""
HELD_ENTRIES = 10_000
"""The most entries held back behind a gap; past it they are forgotten, and fetched with the gap."""


class Feed:
    """The order of one topic's entries: `seq` is the last one delivered.

    The ring holds every entry after `floor`, but for state entries that were replaced before they came here.
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.epoch = ""
        self.seq = 0
        self.floor = 0
        self.started = False
        self._ring: deque[Message] = deque()
        self._held: dict[int, Message] = {}

    @property
    def waiting(self) -> frozenset[int]:
        """The entries that wait for one before them, which has not come; none before the start."""
        return frozenset(self._held) if self.started else frozenset()

    def start(self, epoch: str, head: int) -> list[Message]:
        """Begin after `head`; what was held meanwhile and follows it is due now."""
        self.epoch, self.floor, self.started = epoch, head, True
        self._ring.clear()
        self._stand_at(head)
        return self._release()

    def accept(self, message: Message) -> list[Message]:
        """Take in a published entry: those that are due now, in order; none for one seen before."""
        if self.started and message.seq <= self.seq:
            return []
        is_next = self.started and message.seq == self.seq + 1
        if is_next or len(self._held) < HELD_ENTRIES:
            self._held[message.seq] = message
        return self._release() if self.started else []

    def catch_up(
        self, head: int, missing: Iterable[Message], waited: Collection[int] = ()
    ) -> list[Message]:
        """Fill a gap with what the journal has after `seq` up to `head`, collapsed; what is due now.

        `waited` are those that were `waiting` before the journal was read. One that it does not reach is not
        in the journal, since what comes before a committed entry is committed: it is forgotten.
        """
        due = [message for message in missing if self.seq < message.seq <= head]
        for message in due:
            self._remember(message)
        self._stand_at(max(self.seq, head))
        due += self._release()
        for seq in waited:
            self._held.pop(seq, None)
        return due

    def since(self, seq: int) -> list[Message] | None:
        """What followed `seq`; None where the ring does not reach back that far."""
        if not self.floor <= seq <= self.seq:
            return None
        return [message for message in self._ring if message.seq > seq]

    def _stand_at(self, seq: int) -> None:
        self.seq = seq
        self._held = {each: message for each, message in self._held.items() if each > seq}

    def _release(self) -> list[Message]:
        due = []
        while (message := self._held.pop(self.seq + 1, None)) is not None:
            self.seq += 1
            self._remember(message)
            due.append(message)
        return due

    def _remember(self, message: Message) -> None:
        self._ring.append(message)
        if len(self._ring) > RING_ENTRIES:
            self.floor = self._ring.popleft().seq


def is_outdated(messages: Iterable[Message], revising: Collection[str]) -> bool:
    """Whether the journal may tell less by now than these consecutive entries, of which it was told.

    An entry of a type in `revising` says so of what was told of its subject before; states aside.
    """
    told: set[str | None] = set()
    for message in messages:
        if message.header.name in revising and message.subject in told:
            return True
        if message.key is None and message.subject is not None:
            told.add(message.subject)
    return False


def retold(messages: Sequence[Message], removing: Collection[str]) -> list[Message]:
    """What whoever was away is told of consecutive entries.

    State entries that a newer one of the same key replaces are left out, and what tells of a subject is
    blanked once an entry of a type in `removing` has removed that subject.
    """
    newest = {message.key: message.seq for message in messages if message.key is not None}
    removed = {
        message.subject: message.seq for message in messages if message.header.name in removing
    }
    removed.pop(None, None)
    return [
        message.blanked() if message.seq < removed.get(message.subject, 0) else message
        for message in messages
        if message.key is None or newest[message.key] == message.seq
    ]
