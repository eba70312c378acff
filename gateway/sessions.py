"""What a connected client has and may do: its token, its topics, its commands."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Protocol
from uuid import UUID

import msgspec
import structlog

from gateway.auth.recognition import Recognition, Revocation, is_revoked
from gateway.auth.tokens import LEEWAY_SECONDS, Claims, Verifier
from gateway.delivery.hub import Hub, Watched
from gateway.delivery.message import event_body
from gateway.delivery.watching import Recovery
from gateway.dispatch import Dispatcher, as_refusal
from gateway.limits import Seats
from gateway.logs import request_id
from gateway.metrics.counts import OK, Done, DoneByName
from gateway.protocol import (
    Draining,
    Ready,
    WatchCommand,
    check_room,
    credentials,
    refresh,
    watch_command,
)
from gateway.refusals import sign_in_first
from gateway.sockets.application import Connection
from gateway.sockets.frame import Frame
from gateway.topics import user_topic
from handlers.actor import Actor, Role
from handlers.operation import Refusal

EXPIRING_SECONDS = 60.0
"""How long before its token expires a client is told."""
LAST_ANSWER_SECONDS = 1.0
"""How long a session whose token was revoked waits for the answer to the command in hand."""
RECHECKED_AT_ONCE = 500
"""Sessions whose tokens are asked for together, after revocations were missed."""
RECHECK_SECONDS = 1.0
"""Between two tries while the database is away."""

WATCH = "topic:watch"

OUR_FAULT = frozenset({"INTERNAL", "OVERLOADED", "UNAVAILABLE"})
"""Refusals that the client can do nothing about: the log has them."""

_log = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode
_NOTHING = msgspec.Raw(b"{}")

Command = Callable[[Connection, msgspec.Raw], Awaitable[bytes]]


class KnownUser(Protocol):
    """A user as the identity store knows them."""

    @property
    def summary(self) -> Any: ...
    @property
    def role(self) -> str: ...


class CommandId:
    """What the log calls the command that a connection has in hand: written out only where it is told.

    A client's commands go one after the other, so one object is enough for all.
    """

    __slots__ = ("_connection_id", "number")

    def __init__(self, connection_id: str) -> None:
        self._connection_id = connection_id
        self.number = 0

    def __repr__(self) -> str:
        return f"{self._connection_id}.{self.number}"


class Session:
    """One connection's state. A visitor has neither user nor claims."""

    def __init__(
        self,
        command_id: CommandId,
        actor: Actor,
        user: Any,
        claims: Claims | None,
        own: Recovery | None,
    ) -> None:
        self.command_id = command_id
        self.actor = actor
        self.user = user
        self.claims = claims
        self.own = own
        self.topics: set[str] = set()
        self.timer: asyncio.TimerHandle | None = None
        self.is_revoked = False
        self.in_hand = False
        """Whether a command is being carried out."""

    @property
    def own_topic(self) -> str | None:
        return None if self.actor.id is None else user_topic(self.actor.id)


class Sessions:
    """The application behind the sockets: implements `gateway.sockets.application.Application`."""

    def __init__(
        self,
        *,
        node: str,
        verifier: Verifier,
        recognize: Recognition[KnownUser],
        dispatcher: Dispatcher,
        hub: Hub,
        anonymous: bool,
        seats: Seats,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._node = node
        self._verifier = verifier
        self._recognize = recognize
        self._dispatcher = dispatcher
        self._hub = hub
        self._anonymous = anonymous
        self._seats = seats
        self._clock = clock
        self._bearers: defaultdict[UUID, dict[Session, Connection]] = defaultdict(dict)
        """Who is in, or about to be, by user."""
        self._checks: set[asyncio.Task[None]] = set()
        self._commands: Mapping[str, Command] = {
            WATCH: self._watch,
            "topic:unwatch": self._unwatch,
            "auth:refresh": self._refresh,
        }
        self.joins = Done()
        events = [served.operation.event for served in dispatcher.served]
        self.commands = DoneByName([*self._commands, *events])
        self._watches = self.commands[WATCH]
        self._known = {
            event: (self.commands[event], self._commands.get(event), dispatcher.find(event))
            for event in (*self._commands, *events)
        }
        self._unknown = (self.commands[DoneByName.OTHER], None, None)

    async def connect(self, connection: Connection, auth: msgspec.Raw | None) -> None:
        """Check the token, recognise the user, and begin to follow their own topic."""
        command_id = CommandId(connection.id)
        request_id.set(command_id)
        began, outcome = perf_counter(), OK
        try:
            await self._connect(connection, auth, command_id)
        except BaseException as error:
            outcome = error.code if isinstance(error, Refusal) else "INTERNAL"
            raise
        finally:
            seconds = perf_counter() - began
            if outcome == OK:
                self.joins.fine(seconds)
            else:
                self.joins.otherwise(outcome, seconds)
            if outcome in OUR_FAULT:
                _log.warning("a join failed", code=outcome, milliseconds=round(seconds * 1000, 2))

    async def _connect(
        self, connection: Connection, auth: msgspec.Raw | None, command_id: CommandId
    ) -> None:
        shown = credentials(auth)
        if shown.token is None:
            visitor = self.visitor(connection.address)
            connection.session = Session(command_id, visitor, None, None, None)
            return
        claims, actor, user = await self.identify(shown.token, connection.address)
        session = Session(command_id, actor, user, claims, None)
        self._bearers[claims.user_id][session] = connection  # from here on it hears of revocations
        try:
            await self._seats.take(claims.user_id, connection.id)
            session.own = await self._hub.recover(user_topic(claims.user_id), shown.since, actor)
            if session.is_revoked:
                raise _token_revoked()
        except BaseException:
            if session.own is not None:
                self._hub.drop(session.own)
            self._seats.leave(connection.id)
            self._forget(session)
            raise
        connection.session = session

    def connected(self, connection: Connection) -> None:
        """Say `session:ready`, then what one's own topic held meanwhile; from here on it is live."""
        session: Session = connection.session
        own: Watched | None = None
        if session.own is not None:
            own = self._hub.attach(connection, session.own)
            session.topics.add(own.topic)
            session.own = None
        ready = Ready(
            user=session.user,
            epoch=own.epoch if own else self._hub.epoch,
            topic=own.topic if own else None,
            seq=own.seq if own else None,
            recovered=own.recovered if own else False,
            expires_at=_moment(session.claims.expires_at) if session.claims else None,
            node=self._node,
        )
        self._tell(connection, "session:ready", ready)
        for event in own.events if own else ():
            connection.send(Frame(b"42" + bytes(event)))
        self._schedule(connection)

    def at_once(
        self, connection: Connection, event: str, payload: msgspec.Raw | None
    ) -> bytes | None:
        """Where a topic stands, for whoever watches it already; of all else `command` decides."""
        session: Session = connection.session
        if event != WATCH or payload is None or session.is_revoked:
            return None
        began = perf_counter()
        try:
            standing = self._standing(connection, watch_command(payload))
        except Refusal:
            return None
        if standing is None:
            return None
        session.command_id.number += 1
        answer = b'{"data":%b}' % _encode(standing)
        self._watches.fine(perf_counter() - began)
        return answer

    async def command(
        self, connection: Connection, event: str, payload: msgspec.Raw | None
    ) -> bytes:
        """Carry out a command: `{"data": …}` or `{"error": …}`."""
        session: Session = connection.session
        raw = _NOTHING if payload is None else payload
        session.command_id.number += 1
        request_id.set(session.command_id)
        done, own, served = self._known.get(event, self._unknown)
        began = perf_counter()
        session.in_hand = True
        try:
            if session.is_revoked:
                raise _token_revoked()
            if own is not None:
                body = await own(connection, raw)
            elif served is not None:
                outcome = await self._dispatcher.call(
                    served, session.actor, lambda: served.decode(raw)
                )
                body = outcome.body
            else:
                raise Refusal("UNKNOWN_COMMAND", "There is no such command.", command=event[:100])
        except Exception as error:
            refusal = as_refusal(error)
            seconds = perf_counter() - began
            done.otherwise(refusal.code, seconds)
            if refusal.code in OUR_FAULT:
                _log.warning(
                    "a command failed",
                    command=event,
                    code=refusal.code,
                    milliseconds=round(seconds * 1000, 2),
                )
            return _encode({"error": refusal.as_error()})
        finally:
            session.in_hand = False
            if session.is_revoked:  # once the answer is on its way
                asyncio.get_running_loop().call_soon(self._close, connection, "token_revoked")
        done.fine(perf_counter() - began)
        return b'{"data":%b}' % body

    def revoked(self, revocation: Revocation) -> None:
        """Tokens are good no longer: the sessions that live on them end, and none begins any more."""
        self._recognize.forget(revocation.user_id)
        for session, connection in tuple(self._bearers.get(revocation.user_id, {}).items()):
            assert session.claims is not None
            if is_revoked(session.claims, revocation):
                self._revoke(session, connection)

    def revocations_missed(self) -> None:
        """Any token may have been revoked: each is asked for anew."""
        self._recognize.forget_all()
        check = asyncio.create_task(self._recheck())
        self._checks.add(check)
        check.add_done_callback(self._checks.discard)

    async def close(self) -> None:
        """Stop all that runs in the background."""
        for check in self._checks:
            check.cancel()
        await asyncio.gather(*self._checks, return_exceptions=True)

    def draining(self, connection: Connection, seconds: float) -> None:
        """Say `server:draining`: the client may come back early, and else is closed by then."""
        data = _encode(Draining(round(seconds * 1000)))
        now = datetime.fromtimestamp(self._clock(), UTC)
        connection.send(Frame.event(event_body("server:draining", data, None, None, now)))

    def disconnected(self, connection: Connection, reason: str) -> None:
        """Let go of everything that the connection held."""
        session: Session = connection.session
        if session.timer is not None:
            session.timer.cancel()
        if session.own is not None:
            self._hub.drop(session.own)
        self._part(connection, session)
        self._seats.leave(connection.id)
        self._forget(session)
        if session.claims is not None:
            self._recognize.renew(session.claims)

    def visitor(self, address: str) -> Actor:
        """Whoever shows no token. Raises `UNAUTHENTICATED` where visitors may not come in."""
        if not self._anonymous:
            raise sign_in_first()
        return Actor(None, Role.USER, address)

    async def identify(self, token: str, address: str) -> tuple[Claims, Actor, Any]:
        """Who shows this token: what it claims, the actor, and their UserSummary. Raises Refusal."""
        claims = await self._verifier.verify(token)
        user = await self._recognize(claims)
        role = Role(user.role) if claims.role is None else claims.role
        return claims, Actor(claims.user_id, role, address, claims.token_id), user.summary

    async def _watch(self, connection: Connection, payload: msgspec.Raw) -> bytes:
        session: Session = connection.session
        command = watch_command(payload)
        # From what is recovered to the answer nothing awaits: what it does not tell follows it in frames.
        if command.topic is not None:
            if (standing := self._standing(connection, command)) is not None:
                return _encode(standing)
            if command.topic not in session.topics:
                check_room(len(session.topics) + 1)
            begun = await self._hub.recover(command.topic, command.since, session.actor)
            return _encode(self._attach(connection, begun))
        assert command.topics is not None
        news = {watch.topic for watch in command.topics} - session.topics
        check_room(len(session.topics) + len(news))
        recovered = await asyncio.gather(
            *(self._hub.recover(each.topic, each.since, session.actor) for each in command.topics),
            return_exceptions=True,
        )
        return _encode({"topics": [self._attach_or_tell(connection, each) for each in recovered]})

    def _standing(self, connection: Connection, command: WatchCommand) -> Watched | None:
        """Where the one topic stands that is watched already, if nothing of it is to be replayed."""
        topic = command.topic
        if topic is None or command.since is not None or topic not in connection.session.topics:
            return None
        return self._hub.standing(connection, topic)

    def _attach(self, connection: Connection, begun: Recovery) -> Watched | None:
        """Make the connection live; None if it has gone. Raises Refusal."""
        session: Session = connection.session
        if connection.closed or session.is_revoked:
            self._hub.drop(begun)
            return None
        watched = self._hub.attach(connection, begun)
        session.topics.add(watched.topic)
        return watched

    def _attach_or_tell(self, connection: Connection, begun: Recovery | BaseException) -> Any:
        """The answer for one topic of several: what watching it answers, or why it is refused."""
        try:
            if isinstance(begun, BaseException):
                raise begun
            return self._attach(connection, begun)
        except Exception as error:
            return {"error": as_refusal(error).as_error()}

    async def _unwatch(self, connection: Connection, payload: msgspec.Raw) -> bytes:
        session: Session = connection.session
        command = watch_command(payload)
        named = [command] if command.topics is None else command.topics
        topics = [each.topic for each in named if each.topic is not None]
        for topic in topics:
            session.topics.discard(topic)
            self._hub.detach(connection, topic)
        answers = [{"topic": topic} for topic in topics]
        return _encode(answers[0] if command.topics is None else {"topics": answers})

    async def _refresh(self, connection: Connection, payload: msgspec.Raw) -> bytes:
        session: Session = connection.session
        if session.claims is None:
            raise sign_in_first()
        token = refresh(payload).token
        claims, actor, user = await self.identify(token, session.actor.address)
        if claims.user_id != session.claims.user_id:
            raise Refusal("FORBIDDEN", "The token is another user's: connect anew with it.")
        has_less = session.actor.moderates and not actor.moderates
        session.claims, session.actor, session.user = claims, actor, user
        self._schedule(connection)
        if has_less:
            await self._hub.recheck(connection)
        return _encode({"expires_at": _moment(claims.expires_at)})

    def _schedule(self, connection: Connection) -> None:
        """Set the clock for what the token's expiry asks for next."""
        session: Session = connection.session
        if session.timer is not None:
            session.timer.cancel()
        if session.claims is None or connection.closed:
            return
        left = session.claims.expires_at - self._clock()
        session.timer = asyncio.get_running_loop().call_later(
            max(left - EXPIRING_SECONDS, 0.0), self._expiring, connection
        )

    def _expiring(self, connection: Connection) -> None:
        session: Session = connection.session
        assert session.claims is not None
        expires_at = session.claims.expires_at
        self._tell(connection, "auth:expiring", {"expires_at": _moment(expires_at)})
        session.timer = asyncio.get_running_loop().call_later(
            max(expires_at + LEEWAY_SECONDS - self._clock(), 0.0), self._expired, connection
        )

    def _expired(self, connection: Connection) -> None:
        self._close(connection, "token_expired")

    def _revoke(self, session: Session, connection: Connection) -> None:
        """End a session: at once, or as soon as the command in hand is answered."""
        if session.is_revoked:
            return
        session.is_revoked = True
        if connection.session is not session:  # it is only about to come in
            return
        self._part(connection, session)
        connection.purge()
        if session.timer is not None:
            session.timer.cancel()
        if session.in_hand:
            session.timer = asyncio.get_running_loop().call_later(
                LAST_ANSWER_SECONDS, self._close, connection, "token_revoked"
            )
        else:
            self._close(connection, "token_revoked")

    async def _recheck(self) -> None:
        """End the sessions whose tokens turn out to be revoked."""
        bearers = [each for bearing in self._bearers.values() for each in bearing.items()]
        turns = asyncio.Semaphore(RECHECKED_AT_ONCE)
        await asyncio.gather(*(self._check_again(*each, turns) for each in bearers))

    async def _check_again(
        self, session: Session, connection: Connection, turns: asyncio.Semaphore
    ) -> None:
        while not connection.closed:
            assert session.claims is not None
            try:
                async with turns:
                    await self._recognize(session.claims)
            except Exception as error:  # one that cannot be checked now keeps no other from it
                if as_refusal(error).code != "UNAUTHENTICATED":
                    await asyncio.sleep(RECHECK_SECONDS)  # as while the database is away
                    continue
                self._revoke(session, connection)
            return

    def _close(self, connection: Connection, code: str) -> None:
        """Tell why, and disconnect."""
        if connection.closed:
            return
        self._part(connection, connection.session)
        self._tell(connection, "session:closing", {"code": code})
        connection.disconnect()

    def _part(self, connection: Connection, session: Session) -> None:
        """Nothing of any topic goes out any more."""
        for topic in session.topics:
            self._hub.detach(connection, topic)
        session.topics.clear()

    def _forget(self, session: Session) -> None:
        if session.claims is not None:
            user_id = session.claims.user_id
            bearing = self._bearers.get(user_id, {})
            bearing.pop(session, None)
            if not bearing:
                self._bearers.pop(user_id, None)

    def _tell(self, connection: Connection, name: str, data: Any) -> None:
        """Send an event of the session itself: on one's own topic, and in no journal."""
        session: Session = connection.session
        now = datetime.fromtimestamp(self._clock(), UTC)
        body = event_body(name, _encode(data), session.own_topic, None, now)
        connection.send(Frame.event(body))


def _token_revoked() -> Refusal:
    return Refusal("UNAUTHENTICATED", "The token has been revoked.")


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
