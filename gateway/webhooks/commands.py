"""`vernissage webhooks …`: who is told, and what became of it."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar
from uuid import UUID, uuid4

import click
import msgspec

from gateway.consuming.table import columns
from gateway.settings import Settings, with_own_secret
from gateway.startup import CannotStart
from gateway.webhooks.guard import checked_url
from gateway.webhooks.signing import Seal, new_secret

T = TypeVar("T")

Carried = Callable[[Callable[[Settings, Any, Any], Awaitable[Any]]], Any]
"""Carries out what is asked of the store's Webhooks and Messages, and answers what it answered."""


def webhooks_command(carry_out: Carried, listed: Callable[[str], Sequence[str]]) -> click.Group:
    """The group of commands."""

    @click.group()
    def webhooks() -> None:
        """Endpoints that are told of what happens by HTTP: see docs/webhooks.md."""

    @webhooks.command()
    @click.argument("url")
    @click.option("--events", required=True, help="Which, such as `post:liked,comment:*`.")
    @click.option("--topics", default="*", help="On which topics, such as `post:*,gallery`.")
    @click.option("--from", "begin", type=click.Choice(["beginning", "now"]), default="now")
    def add(url: str, events: str, topics: str, begin: str) -> None:
        """Tell this URL of what happens. Prints the endpoint's id, and its secret: this once."""
        endpoint, secret = uuid4(), new_secret()

        async def work(settings: Settings, store: Any, messages: Any) -> None:
            try:
                right = checked_url(url, production=settings.production)
                sealed = _seal(settings).close(secret, endpoint)
                await store.add(endpoint, right, listed(events), listed(topics), sealed, begin)
            except ValueError as error:
                raise CannotStart(str(error)) from error

        carry_out(work)
        click.echo(f"{endpoint}\n{secret}")

    @webhooks.command(name="list")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    def list_all(as_json: bool) -> None:
        """How every endpoint stands."""

        async def work(settings: Settings, store: Any, messages: Any) -> Any:
            return await store.all()

        found = carry_out(work)
        click.echo(_json(found) if as_json else columns(_endpoints(found)))

    @webhooks.command()
    @click.argument("endpoint", type=click.UUID)
    def rotate(endpoint: UUID) -> None:
        """Give an endpoint another secret, and print it, this once; both sign for a day."""
        secret = new_secret()

        async def work(settings: Settings, store: Any, messages: Any) -> bool:
            return bool(await store.rotate(endpoint, _seal(settings).close(secret, endpoint)))

        _there(carry_out(work), endpoint)
        click.echo(secret)

    @webhooks.command()
    @click.argument("endpoint", type=click.UUID)
    def enable(endpoint: UUID) -> None:
        """Tell an endpoint again that was disabled, or let alone for a while: from where it stood."""

        async def work(settings: Settings, store: Any, messages: Any) -> bool:
            return bool(await store.enable(endpoint))

        _there(carry_out(work), endpoint)

    @webhooks.command()
    @click.argument("endpoint", type=click.UUID)
    def disable(endpoint: UUID) -> None:
        """Tell an endpoint nothing until it is enabled."""

        async def work(settings: Settings, store: Any, messages: Any) -> bool:
            return bool(await store.disable(endpoint, "by an operator"))

        _there(carry_out(work), endpoint)

    @webhooks.command()
    @click.argument("endpoint", type=click.UUID)
    def remove(endpoint: UUID) -> None:
        """Forget an endpoint, and all that it was still to be told."""

        async def work(settings: Settings, store: Any, messages: Any) -> bool:
            return bool(await store.remove(endpoint))

        _there(carry_out(work), endpoint)

    @webhooks.command()
    @click.argument("endpoint", type=click.UUID, required=False)
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    def dead(endpoint: UUID | None, as_json: bool) -> None:
        """The messages that were given up, the newest first."""

        async def work(settings: Settings, store: Any, messages: Any) -> Any:
            return await messages.dead(endpoint)

        found = carry_out(work)
        click.echo(_json(found) if as_json else columns(_letters(found)))

    @webhooks.command()
    @click.argument("endpoint", type=click.UUID)
    @click.option("--topic", help="Only those of this topic.")
    @click.option("--seq", type=int, help="Only this one.")
    def redeliver(endpoint: UUID, topic: str | None, seq: int | None) -> None:
        """Send dead messages after all. They come after what was told since."""

        async def work(settings: Settings, store: Any, messages: Any) -> int:
            return int(await messages.revive(endpoint, topic, seq))

        click.echo(carry_out(work))

    @webhooks.command()
    @click.argument("endpoint", type=click.UUID)
    @click.option("--topic", help="Only those of this topic.")
    @click.option("--seq", type=int, help="Only this one.")
    def discard(endpoint: UUID, topic: str | None, seq: int | None) -> None:
        """Forget dead messages."""

        async def work(settings: Settings, store: Any, messages: Any) -> int:
            return int(await messages.discard(endpoint, topic, seq))

        click.echo(carry_out(work))

    return webhooks


def _seal(settings: Settings) -> Seal:
    settings = with_own_secret(settings)
    if not settings.webhook_key:
        raise CannotStart(
            "VERNISSAGE_WEBHOOK_KEY must be given: 32 random bytes or more, the same on all machines"
        )
    return Seal(settings.webhook_key)


def _there(found: bool, endpoint: UUID) -> None:
    if not found:
        raise CannotStart(f"there is no such endpoint, or nothing to change of it: {endpoint}")


def _json(found: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(found)).decode()


def _endpoints(found: Sequence[Any]) -> Iterator[Sequence[str]]:
    yield ("endpoint", "state", "waiting", "dead", "events", "topics", "URL", "because")
    for each in found:
        yield (
            *(str(each.id), each.state, f"{each.waiting:,}", f"{each.dead:,}"),
            *(",".join(each.events), ",".join(each.topics), each.url, each.disabled_because or ""),
        )


def _letters(found: Sequence[Any]) -> Iterator[Sequence[str]]:
    yield ("endpoint", "topic", "seq", "type", "dead since", "attempts", "because")
    for each in found:
        yield (
            *(str(each.endpoint_id), each.topic, str(each.seq), each.type),
            *(f"{each.dead_at:%Y-%m-%d %H:%M:%S}", str(each.attempts), each.failed_because or ""),
        )
