"""All watched topics of one node.

Entries come in from this node's own commits and over the bus, in any order and more than once; each
watcher gets each of them once and in order. What is missing is fetched from the journal.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import nullcontext
from typing import Annotated, Any

import msgspec
import structlog

from gateway.delivery.audience import Watcher
from gateway.delivery.counts import JOURNAL, REFUSED, RING, DeliveryCounts
from gateway.delivery.feed import Feed, is_outdated, retold
from gateway.delivery.heads import HeadReader
from gateway.delivery.message import Entry, Malformed, Message
from gateway.delivery.ports import Bus, Crowds, Journal, Rights
from gateway.delivery.replays import ReplayReader
from gateway.delivery.watching import Recovery, Watching, party_actor
from gateway.refusals import topic_not_found
from handlers.actor import Actor
from handlers.operation import Refusal
from pubsub import ended

GAP_SECONDS = 0.01
"""How long an entry waits for the one before it, until that is fetched from the journal."""
RETRY_SECONDS = 0.5
"""How long until the journal is asked again after it could not be read."""
FETCHES_AT_ONCE = 4
"""Topics whose missing entries are fetched at the same time; the database has others to serve. Those that are
always followed do not wait for their turn."""
LINGER_SECONDS = 30.0
"""How long a topic that nobody watches any more stays ready for those who come back."""
CHECK_SECONDS = 3.0
"""How often the followed topics are compared with the journal's heads: what a publisher that died kept back is
heard of within 5 s."""
CHECK_SECONDS_IN_DOUBT = 0.5
"""The same while the bus may be missing messages: so the gallery stays live without Redis."""
LOOK_SECONDS = 0.25
"""Between two looks whether it may."""

_log = structlog.get_logger(__name__)


Listener = Callable[[Message], None]

Seq = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class Position(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a client stands in a topic: the `seq` of the last entry it has, in that `epoch`."""

    epoch: str
    seq: Seq


class Watched(msgspec.Struct, frozen=True):
    """The answer to watching: what was missed, and whether that is all of it."""

    topic: str
    epoch: str
    seq: int
    recovered: bool
    events: list[msgspec.Raw]


class Hub:
    """The topics that are watched on this node.

    `removing` names the event types after which their subject may not be seen, `revising` those after which
    the journal tells less of it; `always` are topics that stay ready whether or not anybody watches.
    """

    def __init__(
        self,
        journal: Journal,
        rights: Rights,
        *,
        removing: Iterable[str],
        revising: Iterable[str] = (),
        always: Iterable[str],
    ) -> None:
        self._journal = journal
        self._rights = rights
        self._heads = HeadReader(journal.heads)
        self._fetching = asyncio.Semaphore(FETCHES_AT_ONCE)
        self._removing = frozenset(removing)
        self._revising = frozenset(revising)
        self._always = frozenset(always)
        self.counts = DeliveryCounts()
        self._topics: dict[str, Watching] = {}
        self._replays: dict[str, ReplayReader] = {}
        self._listeners: dict[str, list[Listener]] = {}
        self._on_gap: dict[str, list[Callable[[], None]]] = {}
        self._bus: Bus | None = None
        self._crowds: Crowds | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, bus: Bus) -> None:
        """Join the bus, and begin with the topics that are always followed."""
        self._bus = bus
        self._spawn(self._keep_checking())
        for topic in self._always:
            await _ready(self._follow(topic))

    async def close(self) -> None:
        """Stop all that runs in the background."""
        while tasks := tuple(self._tasks):
            await ended(*tasks)
        for watching in self._topics.values():
            watching.audience.stop()
            for timer in (watching.gap_timer, watching.lingering):
                if timer is not None:
                    timer.cancel()
        self._topics.clear()

    @property
    def epoch(self) -> str | None:
        """The epoch of the topics that are always followed; None while they are not."""
        followed = (self._topics.get(topic) for topic in self._always)
        return next((watching.feed.epoch for watching in followed if watching is not None), None)

    @property
    def followed(self) -> int:
        """How many topics are followed on this node, as of now."""
        return len(self._topics)

    def count(self, crowds: Crowds) -> None:
        """Let `crowds` know from now on who watches what."""
        self._crowds = crowds

    def listen(
        self, topic: str, listener: Listener, on_gap: Callable[[], None] | None = None
    ) -> None:
        """Hear every entry that is delivered on a topic which is always followed; it must not raise.

        `on_gap` is called where entries have been missed for good.
        """
        self._listeners.setdefault(topic, []).append(listener)
        if on_gap is not None:
            self._on_gap.setdefault(topic, []).append(on_gap)

    def watched(self, prefix: str) -> list[str]:
        """The topics with that beginning that somebody watches on this node."""
        return [
            topic
            for topic, watching in self._topics.items()
            if topic.startswith(prefix) and watching.audience
        ]

    def mention(self, message: Message) -> None:
        """Tell an ephemeral message to those who watch its topic on this node."""
        if (watching := self._topics.get(message.topic)) is not None:
            watching.mention(message)

    def spread(self, message: Message) -> None:
        """Tell an ephemeral message to those who watch its topic, on all nodes."""
        assert self._bus is not None
        self._bus.publish(message.topic, message.encode())
        self.mention(message)

    def committed(self, told: Sequence[Entry]) -> None:
        """Tell the world of what was just committed here."""
        assert self._bus is not None
        self.counts.committed += len(told)
        for each in told:
            message = Message.of(each)
            self._bus.publish(each.topic, message.encode())
            self._accept(message)

    def received(self, topic: str, wire: bytes) -> None:
        """A message came over the bus."""
        try:
            message = Message.decode(topic, wire)
        except Malformed as error:
            _log.warning("a malformed message on the bus", topic=topic, error=str(error))
            return
        self.counts.received += 1
        self._accept(message)

    async def recover(self, topic: str, since: Position | None, actor: Actor) -> Recovery:
        """Begin to follow a topic from `since`; `attach` or `drop` what it answers.

        Raises Refusal where the actor may not watch it, and where the journal cannot be read.
        """
        followed = topic in self._topics
        if not followed:  # so that nobody has topics opened that they may not watch
            await self._check_rights(topic, actor)
        watching = self._follow(topic)
        recovery = Recovery(watching, actor)
        watching.recoveries.add(recovery)
        try:
            if watching.ready is not None:
                await _ready(watching)
            if followed or watching.excluding:
                # Asked once nothing passes by any more: whatever excludes the actor from now on comes
                # as an entry.
                await self._check_rights(topic, actor)
            if since is not None:
                await self._replay(recovery, since)
            if recovery.excluded:
                raise topic_not_found(topic)
        except BaseException:
            self.drop(recovery)
            raise
        return recovery

    def attach(self, watcher: Watcher, recovery: Recovery) -> Watched:
        """Make a watcher live. What the answer does not tell follows in frames: send it at once.

        Raises Refusal where its actor may not watch any more.
        """
        watching = recovery.watching
        if recovery.excluded:
            self.drop(recovery)
            raise topic_not_found(watching.feed.topic)
        watching.recoveries.discard(recovery)
        if watcher in watching.audience:  # what has passed has reached it in frames
            recovery.passed = []
        elif self._crowds is not None:
            self._crowds.joined(watching.feed.topic, watcher.session)
        watching.audience.join(watcher, watching.told)
        return self._answer(recovery)

    def standing(self, watcher: Watcher, topic: str) -> Watched | None:
        """What watching once more answers whoever watches already and wants nothing replayed.

        They lost no rights yet, or they would not be here. None where that is being asked just now, and
        for whoever is not here: then it takes `recover`.
        """
        watching = self._topics.get(topic)
        if watching is None or watching.held_at is not None or watcher not in watching.audience:
            return None
        watching.audience.join(watcher, watching.told)
        return Watched(topic, watching.feed.epoch, watching.told, recovered=False, events=[])

    def drop(self, recovery: Recovery) -> None:
        """Give up on a recovery."""
        recovery.watching.recoveries.discard(recovery)
        self._let_go(recovery.watching)

    def read(self, recovery: Recovery) -> Watched:
        """The answer that watching would give, without watching."""
        self.drop(recovery)
        return self._answer(recovery)

    def detach(self, watcher: Watcher, topic: str) -> None:
        """The watcher does not watch the topic any more."""
        watching = self._topics.get(topic)
        if watching is not None:
            self._leave_audience(watching, watcher)
            self._let_go(watching)

    async def recheck(self, watcher: Watcher) -> None:
        """The watcher's rights have become less: part it from the topics that it may not watch any more."""
        for topic in tuple(watcher.session.topics):
            if not await self._rights.may_watch(topic, watcher.session.actor):
                watcher.session.topics.discard(topic)
                self.detach(watcher, topic)

    async def check(self) -> None:
        """Compare every followed topic with the journal's heads, and fetch what the bus has lost."""
        followed = [each for each in self._topics.values() if each.feed.started]
        if not followed:
            return
        stood = {watching: watching.feed.seq for watching in followed}
        heads = await self._journal.heads([watching.feed.topic for watching in followed])
        lacking = [heads.seqs[each.feed.topic] - each.feed.seq for each in followed]
        self.counts.heads_behind = sum(each > 0 for each in lacking)
        self.counts.entries_behind = sum(each for each in lacking if each > 0)
        for watching, seq in stood.items():
            feed = watching.feed
            if self._topics.get(feed.topic) is not watching:
                continue
            head = heads.seqs[feed.topic]
            if heads.epoch != feed.epoch or head < seq:
                self._start_over(watching, heads.epoch, head)
            elif feed.seq < head:
                self._fill_soon(watching)

    def check_soon(self) -> None:
        """Check the heads now: the bus may have lost something."""
        self._spawn(self._check_quietly())

    async def _check_quietly(self) -> None:
        try:
            await self.check()
        except Refusal as refusal:
            _log.warning("the heads could not be checked", code=refusal.code)
        except Exception:
            _log.exception("checking the heads failed")

    async def _keep_checking(self) -> None:
        assert self._bus is not None
        now = asyncio.get_running_loop().time
        checked_at = now()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            pause = CHECK_SECONDS_IN_DOUBT if self._bus.in_doubt else CHECK_SECONDS
            if now() - checked_at >= pause:
                await self._check_quietly()
                checked_at = now()

    async def _replay(self, recovery: Recovery, since: Position) -> None:
        source = REFUSED
        if since.epoch == recovery.watching.feed.epoch:
            source = await self._replay_after(recovery, since.seq)
        self.counts.replays[source] += 1

    async def _replay_after(self, recovery: Recovery, seq: int) -> str:
        """Find what followed `seq`; where it was found."""
        watching = recovery.watching
        feed = watching.feed
        if seq > feed.seq:  # the client was on a node that has heard more than this one
            await self._fill(watching)
        missed = feed.since(seq)
        if missed is not None and not is_outdated(missed, self._revising):
            recovery.missed, recovery.passed = missed, []
            return RING
        replay = await self._reader(feed.topic).after(seq)
        if not replay.whole or replay.epoch != feed.epoch:
            return REFUSED
        while feed.seq < replay.head and not recovery.broken:
            await self._fill(watching)
        recovery.missed = [Message.of(entry) for entry in replay.entries]
        recovery.passed = [message for message in recovery.passed if message.seq > replay.head]
        return JOURNAL

    def _reader(self, topic: str) -> ReplayReader:
        if (reader := self._replays.get(topic)) is None:
            reader = ReplayReader(lambda seq: self._journal.replay(topic, seq))
            self._replays[topic] = reader
        return reader

    async def _fill(self, watching: Watching) -> None:
        """Fetch what the feed lacks; whoever asks meanwhile waits for the same fetch."""
        await asyncio.shield(self._fill_soon(watching))

    def _fill_soon(self, watching: Watching) -> asyncio.Task[None]:
        if watching.filling is None:
            watching.filling = self._spawn(self._fetch(watching))
        return watching.filling

    async def _fetch(self, watching: Watching) -> None:
        pause = RETRY_SECONDS
        hurries = watching.feed.topic in self._always
        try:
            async with nullcontext() if hurries else self._fetching:
                while not await self._caught_up(watching):
                    pass
            pause = GAP_SECONDS
        finally:
            watching.filling = None
            self._expect(watching, pause)

    async def _caught_up(self, watching: Watching) -> bool:
        """Whether one look into the journal was enough to deliver what the feed lacked."""
        feed = watching.feed
        seq, waited = feed.seq, feed.waiting
        replay = await self._journal.replay(feed.topic, seq)
        if replay.epoch == feed.epoch:
            if replay.whole:
                missing = [Message.of(entry) for entry in replay.entries]
                self.counts.gaps_filled += bool(missing)
                self._deliver(watching, feed.catch_up(replay.head, missing, waited))
                return True
            if feed.seq > seq and replay.head >= seq:  # the bus brought something after all
                return feed.seq >= replay.head
        self._start_over(watching, replay.epoch, replay.head)
        return True

    def _start_over(self, watching: Watching, epoch: str, head: int) -> None:
        """What lies between cannot be told any more: whoever watches must come back and refetch."""
        feed = watching.feed
        self.counts.started_over += 1
        _log.warning(
            "a topic cannot be caught up with: its watchers start over",
            topic=feed.topic,
            seq=feed.seq,
            head=head,
            new_epoch=epoch != feed.epoch,
        )
        watching.close_all("journal_gap")
        for missed in self._on_gap.get(feed.topic, ()):
            missed()
        self._deliver(watching, feed.start(epoch, head))

    def _accept(self, message: Message) -> None:
        if message.is_ephemeral:
            self.mention(message)
            return
        watching = self._topics.get(message.topic)
        if watching is None:
            return
        self._deliver(watching, watching.feed.accept(message))
        self._expect(watching)

    def _expect(self, watching: Watching, seconds: float = GAP_SECONDS) -> None:
        """Where there is a gap, fetch what is missing unless it comes by itself in a moment."""
        if watching.feed.waiting and watching.gap_timer is None and watching.filling is None:
            watching.gap_timer = asyncio.get_running_loop().call_later(
                seconds, self._gap_is_due, watching
            )

    def _gap_is_due(self, watching: Watching) -> None:
        watching.gap_timer = None
        if watching.feed.waiting:
            self._fill_soon(watching)

    def _deliver(self, watching: Watching, due: Sequence[Message]) -> None:
        for listener in self._listeners.get(watching.feed.topic, ()):
            for message in due:
                listener(message)
        if watching.deliver(due):
            self._spawn(self._exclude(watching))

    async def _exclude(self, watching: Watching) -> None:
        """Nothing follows the entry at which the topic is held but for those who may still watch it."""
        try:
            while (held_at := watching.held_at) is not None:
                await self._part_with(watching)
                if watching.held_at != held_at or not watching.release():
                    break
        except Exception:
            watching.close_all("rights_unknown")
            raise
        finally:
            self._let_go(watching)

    async def _part_with(self, watching: Watching) -> None:
        """Ask who may still watch, and let the others go once they have heard why."""
        topic = watching.feed.topic
        asked: set[object] = set()
        while unasked := [party for party in watching.parties if party not in asked]:
            asked.update(unasked)
            actors = [party_actor(party) for party in unasked]
            rights = await self._rights.who_may_watch(topic, actors)
            await watching.audience.served()
            for party, may in zip(unasked, rights, strict=True):
                if may:
                    continue
                if isinstance(party, Recovery):
                    party.excluded = True
                else:
                    self._leave_audience(watching, party)
                    party.session.topics.discard(topic)

    def _leave_audience(self, watching: Watching, watcher: Watcher) -> None:
        if watcher in watching.audience:
            watching.audience.leave(watcher)
            if self._crowds is not None:
                self._crowds.left(watching.feed.topic, watcher.session)

    async def _check_rights(self, topic: str, actor: Actor) -> None:
        if not await self._rights.may_watch(topic, actor):
            raise topic_not_found(topic)

    def _follow(self, topic: str) -> Watching:
        """What there is of the topic on this node; it may not be ready yet."""
        watching = self._topics.get(topic)
        if watching is None:
            watching = self._topics[topic] = Watching(
                Feed(topic),
                excluding=self._rights.excluding(topic),
                removing=self._removing,
                counts=self.counts,
            )
            watching.ready = self._spawn(self._begin(watching))
        if watching.lingering is not None:
            watching.lingering.cancel()
            watching.lingering = None
        return watching

    async def _begin(self, watching: Watching) -> None:
        assert self._bus is not None
        topic = watching.feed.topic
        try:
            await self._bus.subscribe(topic)
            epoch, head = await self._heads.head(topic)
        except BaseException:
            self._leave(topic)
            raise
        watching.ready = None
        self._deliver(watching, watching.feed.start(epoch, head))
        self._expect(watching)
        self._let_go(watching)

    def _let_go(self, watching: Watching) -> None:
        """Forget the topic after a while, if nobody needs it any more."""
        topic = watching.feed.topic
        needed = watching.audience or watching.recoveries or topic in self._always
        stands = watching.ready is None and self._topics.get(topic) is watching
        if stands and not needed and watching.lingering is None:
            watching.lingering = asyncio.get_running_loop().call_later(
                LINGER_SECONDS, self._forget, watching
            )

    def _forget(self, watching: Watching) -> None:
        watching.lingering = None
        if watching.gap_timer is not None:
            watching.gap_timer.cancel()
        self._leave(watching.feed.topic)

    def _leave(self, topic: str) -> None:
        del self._topics[topic]
        self._replays.pop(topic, None)
        self._spawn(self._unsubscribe(topic))

    async def _unsubscribe(self, topic: str) -> None:
        assert self._bus is not None
        if topic not in self._topics:
            await self._bus.unsubscribe(topic)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, Refusal):
                _log.warning("the journal could not be read", code=error.code)
            else:
                _log.error("the hub failed", exc_info=error)

    def _answer(self, recovery: Recovery) -> Watched:
        watching = recovery.watching
        feed, told = watching.feed, watching.told
        events: list[Message] | None = None
        if recovery.missed is not None and not recovery.broken:
            removing = self._removing
            if watching.held_at is None:  # whoever is here after others were excluded may know all
                removing -= watching.excluding
            known = [each for each in (*recovery.missed, *recovery.passed) if each.seq <= told]
            events = retold(known, removing)
        return Watched(
            topic=feed.topic,
            epoch=feed.epoch,
            seq=told,
            recovered=events is not None,
            events=[msgspec.Raw(b"[" + message.body + b"]") for message in events or ()],
        )


async def _ready(watching: Watching) -> None:
    """Wait until the topic has begun. Raises Refusal where it cannot."""
    if watching.ready is not None:
        await asyncio.shield(watching.ready)
