"""The `vernissage` command."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import click
import msgspec
import structlog

from gateway import composition
from gateway.audit import table
from gateway.auth.tokens import SUBJECT_RULE, is_subject, mint
from gateway.consuming.program import Program
from gateway.consuming.table import columns, standing
from gateway.embedded import (
    EmbeddedServers,
    embedded_servers,
    end_with_parent,
    free_port,
    running_servers,
)
from gateway.launcher import Channel, check_free, launch
from gateway.logs import configure_logs
from gateway.loop import new_event_loop
from gateway.sentry import reports
from gateway.settings import (
    Settings,
    check_for_production,
    describe,
    read_settings,
    unknown_settings,
    with_own_secret,
    without_secrets,
)
from gateway.startup import CannotStart
from gateway.webhooks.commands import webhooks_command
from handlers.domain import Command, Domain

T = TypeVar("T")

DEMO_USER = "ada"
LOOPBACK = "127.0.0.1"
MOST_ENTRIES = 10_000
"""Of one batch of a consumer: they are held in memory."""
LONGEST_TOKEN = 24 * 60 * 60
"""Seconds; a token that lives longer is refused."""


def main() -> None:
    """Run the command; what stops its start is one line on stderr and exit code 1."""
    try:
        cli(prog_name="vernissage")
    except CannotStart as error:
        sys.exit(f"vernissage: {error}")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """The Vernissage gateway. Settings come from the environment: see `vernissage config`."""


@cli.command()
def run() -> None:
    """Run everything on this machine, for development: servers, migrations, demo gallery, gateway."""
    settings = _settings()
    if settings.production:
        raise CannotStart(
            "`vernissage run` is for development; in production use `vernissage migrate`,"
            " then `vernissage serve`"
        )
    if "MAKELEVEL" in os.environ:  # or whoever kills `make run` would leave its port taken
        end_with_parent(signal.SIGKILL)
    _finish(_run(_with_free_ports(with_own_secret(settings))), called_off=0)


async def _run(settings: Settings) -> None:
    async with _servers(settings, join=False) as complete:
        await composition.migrate(complete)
        await composition.demo_if_empty(complete)
        await launch(complete, on_ready=_welcome)


def _welcome(settings: Settings) -> None:
    click.echo(f"\n  Vernissage is open at   http://{_named(settings.host)}:{settings.port}/")
    click.echo(
        f"  for its operator        http://{_named(settings.admin_host)}:{settings.admin_port}/"
    )
    if settings.jwt_secret:
        token = mint(settings, DEMO_USER, "user", LONGEST_TOKEN)
        click.echo(f"  a token for {DEMO_USER}         {token}")
    click.echo("  Ctrl-C closes it.\n")


def _named(host: str) -> str:
    """The host as one writes it into a browser of this machine."""
    if host in (LOOPBACK, "0.0.0.0", "::", "::1"):  # noqa: S104
        return "localhost"
    return f"[{host}]" if ":" in host else host


@cli.command()
def serve() -> None:
    """Serve from a database that has been migrated: what production runs.

    In development it joins the servers that `vernissage run` has started, as a second node.
    """
    settings = _settings()
    if settings.production:
        check_for_production(settings)
    _finish(_serve(_with_free_ports(with_own_secret(settings))), called_off=0)


async def _serve(settings: Settings) -> None:
    async with _servers(settings, join=True) as complete:
        await launch(complete, on_ready=lambda _: None)


@cli.command(hidden=True)
def worker() -> None:
    """Be one of a launcher's workers: `vernissage serve` starts these, and nobody else can."""
    channel = Channel()
    assignment = channel.assignment()
    settings = with_own_secret(read_settings())
    configure_logs(settings.log_format, reports(settings))
    structlog.contextvars.bind_contextvars(worker=assignment.owner.name)
    try:
        _finish(composition.serve(settings, assignment, on_ready=channel.ready), called_off=0)
    except CannotStart as error:
        channel.failed(str(error))
        sys.exit(1)


@cli.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    applied = _finish(_with_database(composition.migrate))
    click.echo("\n".join(f"applied {version}" for version in applied) or "nothing to apply")


@cli.command()
def demo() -> None:
    """Fill the gallery with the demo's users, pictures, likes and comments."""
    _finish(_with_database(composition.demo))


@cli.command()
@click.option("--user", required=True, help="A name, such as ada, or a user's id.")
@click.option("--role", type=click.Choice(["user", "moderator", "admin"]), default="user")
@click.option(
    "--ttl",
    type=click.IntRange(1, LONGEST_TOKEN),
    default=3_600,
    show_default=True,
    help="Seconds that it lives.",
)
def token(user: str, role: str, ttl: int) -> None:
    """Print a token for a user, and nothing else. For development only."""
    settings = with_own_secret(_settings())
    if settings.production:
        raise CannotStart("`vernissage token` is for development; production has its own issuer")
    if not settings.jwt_secret:
        raise CannotStart(
            f"only the owner of the private key can make {settings.jwt_algorithm} tokens;"
            " for tokens of our own leave VERNISSAGE_JWT_ALGORITHM at HS256"
        )
    if not is_subject(user):
        raise CannotStart(f"--user takes {SUBJECT_RULE}")
    click.echo(mint(settings, user, role, ttl))


@cli.command()
@click.option("--bump", is_flag=True, help="Begin a new one: after a restore from a backup.")
def epoch(bump: bool) -> None:
    """Print the journal's epoch, which changes only when history does."""
    click.echo(_finish(_with_database(lambda settings: composition.epoch(settings, bump))))


@cli.command()
@click.option(
    "--repair", is_flag=True, help="Put right what can be. Without it nothing is written."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def audit(repair: bool, as_json: bool) -> None:
    """Compare what is stored twice: counters, statistics, notifications, the journal and its heads.

    Others may go on writing meanwhile. The exit code is 1 if something differs and was not repaired.
    """
    outcomes = _finish(_with_database(lambda settings: composition.audit(settings, repair=repair)))
    click.echo(msgspec.json.format(msgspec.json.encode(outcomes)) if as_json else table(outcomes))
    if not all(outcome.clean for outcome in outcomes):
        sys.exit(1)


@cli.command()
@click.option("--name", required=True, help="The consumer's: one process at a time works by it.")
@click.option("--exec", "command", required=True, help="The program, run once for each batch.")
@click.option(
    "--from",
    "begin",
    type=click.Choice(["beginning", "now"]),
    default="beginning",
    show_default=True,
    help="Where a new consumer begins.",
)
@click.option("--events", default="*", help="Which, such as `post:*,comment:created`.")
@click.option("--topics", default="*", help="On which topics, such as `post:*,gallery`.")
@click.option("--batch", type=click.IntRange(1, MOST_ENTRIES), default=500, show_default=True)
@click.option(
    "--lease",
    type=click.FloatRange(1, 3_600),
    default=30.0,
    show_default=True,
    help="Seconds after which another process takes over from one that was killed.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(1, 86_400),
    default=300.0,
    show_default=True,
    help="Seconds that the program may take for a batch.",
)
@click.option("--over-epochs", is_flag=True, help="Go on after a restore or a promotion.")
def consume(
    name: str,
    command: str,
    begin: str,
    events: str,
    topics: str,
    batch: int,
    lease: float,
    timeout: float,
    over_epochs: bool,
) -> None:
    """Hand the journal to a program: every entry at least once, each topic in order.

    The program gets a batch as lines of JSON on its standard input; ending with 0 it has taken them, else they
    come again. See docs/consumers.md.
    """
    program = Program(command, seconds=timeout, environ=without_secrets())
    following = {
        "name": name,
        "begin": begin,
        "events": _listed(events),
        "topics": _listed(topics),
        "batch": batch,
        "lease_seconds": lease,
        "over_epochs": over_epochs,
    }
    work = _with_database(lambda settings: composition.consume(settings, program, following))
    _finish(work, called_off=0)


@cli.group()
def consumers() -> None:
    """Those who follow the journal, and how far each has come."""


@consumers.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_consumers(as_json: bool) -> None:
    """How every consumer stands: what it has before it, since when, and who works for it."""
    found = _finish(_with_database(composition.consumers))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
        return
    click.echo(columns(standing(found)))


@consumers.command()
@click.argument("name")
@click.option(
    "--from",
    "where",
    type=click.Choice(["beginning", "now", "here"]),
    required=True,
    help="The oldest entry that is kept, what follows from now on, or where it stands.",
)
def reset(name: str, where: str) -> None:
    """Place a consumer anew; whoever works for it stops."""
    _finish(_with_database(lambda settings: composition.reset_consumer(settings, name, where)))


@consumers.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget a consumer and its position; whoever works for it stops."""
    _finish(_with_database(lambda settings: composition.remove_consumer(settings, name)))


def _carry_out_on_webhooks(work: Callable[[Settings, Any, Any], Awaitable[Any]]) -> Any:
    return _finish(_with_database(lambda settings: composition.with_webhooks(settings, work)))


def _listed(given: str) -> list[str]:
    return [each.strip() for each in given.split(",") if each.strip()]


cli.add_command(webhooks_command(_carry_out_on_webhooks, _listed))


@cli.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def load(arguments: tuple[str, ...]) -> None:
    """Put load on a running deployment: see `vernissage load --help`."""
    try:
        from load.cli import command
    except ModuleNotFoundError as error:
        raise CannotStart("the load generator is not installed here") from error
    secret = with_own_secret(_settings(), make=False).jwt_secret
    command(secret).main(list(arguments), prog_name="vernissage load")


@cli.command()
def openapi() -> None:
    """Print the OpenAPI document: all that can be asked for over REST."""
    click.echo(composition.specs(_settings())["openapi"])


@cli.command()
def asyncapi() -> None:
    """Print the AsyncAPI document: all commands and events over Socket.IO."""
    click.echo(composition.specs(_settings())["asyncapi"])


@cli.command()
def config() -> None:
    """Print every setting with its source; secrets are masked."""
    rows = describe(_joining(with_own_secret(_settings(), make=False)))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, source in rows:
        click.echo(f"{name:{widths[0]}}  {value:{widths[1]}}  {source}")


def _add(domain: Domain[Any], command: Command[Any]) -> None:
    """`vernissage <words of its name>` does what the domain declares."""
    *groups, name = command.name.split()
    parent = cli
    for word in groups:
        known = parent.commands.get(word)
        if known is None:
            known = click.Group(word, help=f"The {domain.name}'s {word}.")
            parent.add_command(known)
        assert isinstance(known, click.Group), f"`{word}` is a command already"
        parent = known

    def run() -> None:
        work = _with_database(lambda settings: composition.carry_out(settings, domain, command))
        click.echo(_finish(work))

    parent.add_command(click.Command(name, callback=run, help=command.help))


for _domain, _command in composition.COMMANDS:
    _add(_domain, _command)


def _settings() -> Settings:
    settings = read_settings()
    configure_logs(settings.log_format, reports(settings))
    for line in unknown_settings():
        if settings.production:
            raise CannotStart(line)
        click.echo(f"vernissage: {line}", err=True)
    return settings


async def _with_database(work: Callable[[Settings], Awaitable[T]]) -> T:
    settings = _settings()
    if settings.production and not settings.database_url:
        raise CannotStart("in production DATABASE_URL must be given")
    async with _servers(settings, join=True) as complete:
        return await work(complete)


@asynccontextmanager
async def _servers(settings: Settings, *, join: bool) -> AsyncIterator[Settings]:
    """The settings with the addresses of embedded servers where dev was given none.

    With `join` those that another process runs for this DATA_DIR will do.
    """
    if join:
        settings = _joining(settings)
    if settings.production or (settings.database_url and settings.redis_url):
        yield settings
        return
    async with embedded_servers(
        settings.data_dir, postgres=not settings.database_url, valkey=not settings.redis_url
    ) as servers:
        yield _filled(settings, servers)


def _joining(settings: Settings) -> Settings:
    running = running_servers(settings.data_dir) if not settings.production else None
    return _filled(settings, running) if running else settings


def _filled(settings: Settings, servers: EmbeddedServers) -> Settings:
    if servers.database_url and not settings.database_url:
        settings = settings.filled(
            "embedded",
            database_url=servers.database_url,
            database_replica_url=servers.replica_url or "",
        )
    if servers.redis_url and not settings.redis_url:
        settings = settings.filled("embedded", redis_url=servers.redis_url)
    return settings


def _with_free_ports(settings: Settings) -> Settings:
    """The settings with ports that can be had; raises CannotStart where one that was asked for can't.

    Without this a second start would share a port that is opened with SO_REUSEPORT.
    """
    check_free(settings.host, settings.port)
    try:
        check_free(settings.admin_host, settings.admin_port)
    except CannotStart:
        if settings.production or settings.sources["admin_port"] != "default":
            raise
        return settings.filled("a free one", admin_port=free_port())
    return settings


def _finish(work: Coroutine[Any, Any, T], *, called_off: int = 128 + signal.SIGTERM) -> T:
    """Run `work` to its end; or end it in order at SIGTERM or Ctrl-C, with the exit code given.

    Only the first signal counts: what is left to do then takes a bounded time.
    """

    async def until_called_off() -> T:
        task = asyncio.current_task()
        assert task is not None
        first = iter([task.cancel])
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, lambda: next(first, bool)())
        return await work

    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(until_called_off())
    except asyncio.CancelledError:
        sys.exit(called_off)
