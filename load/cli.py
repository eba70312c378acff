"""The command `vernissage load`."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from load import chart, scenarios
from load.deployment import Deployment, Url, listening
from load.fleet import Fleet, fleet
from load.outcome import Outcome
from load.people import Issuer, Refused, Token, printed_by
from load.processes import Meter
from load.scenarios.running import CannotBegin

DEFAULT_URL = "http://localhost:8080"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario on the command line: its options are those of its keywords that are named here."""

    run: Callable[..., Outcome]
    options: tuple[str, ...]


SCENARIOS = {
    "fanout": Scenario(scenarios.fanout, ("watchers", "events", "per_second")),
    "hot": Scenario(scenarios.hot_room, ("watchers", "events", "window")),
    "screens": Scenario(scenarios.screens, ("watchers", "per_second", "seconds")),
    "polling": Scenario(scenarios.polling, ("watchers", "per_second", "seconds")),
    "intake": Scenario(scenarios.intake, ("clients", "window", "seconds")),
    "likes": Scenario(scenarios.likes, ("users", "posts", "window", "seconds")),
    "comments": Scenario(scenarios.comments, ("users", "posts", "window", "seconds")),
    "feed": Scenario(scenarios.feed, ("clients", "seconds")),
    "mixed": Scenario(scenarios.mixed, ("users", "posts", "per_second", "seconds")),
    "storm": Scenario(scenarios.storm, ("clients", "at_once", "per_second")),
    "connections": Scenario(scenarios.connections, ("clients", "watchers", "hold", "at_once")),
}

OPTIONS: dict[str, tuple[click.ParamType[Any], str]] = {
    "watchers": (click.IntRange(0), "Clients that watch the post in question."),
    "clients": (click.IntRange(1), "Clients."),
    "users": (click.IntRange(1), "Clients that write, each a user of their own."),
    "posts": (click.IntRange(1), "Posts over which it is spread."),
    "events": (click.IntRange(1), "Events to cause."),
    "window": (click.IntRange(1, 64), "Commands that each client keeps unanswered."),
    "per_second": (click.FloatRange(0.01), "Commands a second, in all."),
    "seconds": (click.FloatRange(0.1), "How long."),
    "hold": (click.FloatRange(0), "Seconds for which everybody stays."),
    "at_once": (click.IntRange(1), "Clients that may be on their way in at once."),
}


def command(own_secret: str) -> click.Command:
    """The `load` command; `own_secret` is that of the server that runs here, or an empty text."""

    @click.command("load")
    @click.argument("scenario", type=click.Choice(list(SCENARIOS)))
    @click.option("--url", "urls", multiple=True, help=f"Where it listens [{DEFAULT_URL}].")
    @click.option("--token-secret", help="The HS256 secret of its tokens [the one in DATA_DIR].")
    @click.option(
        "--token-command", help="A command that prints a token; `{user}` is the user's name."
    )
    @click.option(
        "--pid", "pids", multiple=True, type=int, help="Its processes, where it runs here [found]."
    )
    @click.option("--processes", default=2, show_default=True, help="Processes full of clients.")
    @click.option("--cores", default="", help="Cores for them, such as 2,3.")
    @click.option("--json", "json_path", type=click.Path(path_type=Path), help="Keep it as JSON.")
    @click.option("--html", "html_path", type=click.Path(path_type=Path), help="… as a page.")
    def load(
        scenario: str,
        urls: tuple[str, ...],
        token_secret: str | None,
        token_command: str | None,
        pids: tuple[int, ...],
        processes: int,
        cores: str,
        json_path: Path | None,
        html_path: Path | None,
        **options: Any,
    ) -> None:
        """Put load on a running deployment, and say how it bears it.

        Several --url are servers that work together. For figures of the server and not of its
        limits it runs with VERNISSAGE_RATE_LIMITS=1000 and VERNISSAGE_SOCKETS_PER_USER=off.
        What it makes (users, posts, likes, comments) stays there: use a database for it alone.
        """
        chosen = SCENARIOS[scenario]
        given = {name: value for name, value in options.items() if value is not None}
        for name in given.keys() - set(chosen.options):
            raise click.UsageError(
                f"{scenario} has no --{name.replace('_', '-')}; it has"
                f" {', '.join('--' + each.replace('_', '-') for each in chosen.options)}"
            )
        places = tuple(map(_url, urls or (DEFAULT_URL,)))
        deployment = Deployment(
            " ".join(f"{place.host}:{place.port}" for place in places),
            places,
            _token(token_secret or own_secret, token_command),
            _meters(places, pids),
        )
        with fleet(processes, [int(each) for each in cores.split(",") if each]) as crowd:
            outcome = _run(chosen.run, crowd, deployment, given)
        click.echo("\n".join(outcome.lines()))
        if json_path is not None:
            json_path.write_text(json.dumps(outcome.as_json(), indent=1, ensure_ascii=False) + "\n")
        if html_path is not None:
            html_path.write_text(chart.page(outcome))
        if not outcome.valid:
            raise SystemExit(1)

    for name, (kind, text) in reversed(OPTIONS.items()):
        having = ", ".join(each for each, scenario in SCENARIOS.items() if name in scenario.options)
        option = click.option(f"--{name.replace('_', '-')}", type=kind, help=f"{text} ({having})")
        load = option(load)
    return load


def _run(
    run: Callable[..., Outcome], crowd: Fleet, deployment: Deployment, given: dict[str, Any]
) -> Outcome:
    try:
        return run(crowd, deployment, lambda line: click.echo(line, err=True), **given)
    except (CannotBegin, Refused) as error:
        raise click.ClickException(str(error)) from error
    except ConnectionRefusedError as error:
        raise click.ClickException(f"nothing listens at {deployment.name}") from error


def _url(text: str) -> Url:
    parts = urlsplit(text)
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/"):
        raise click.UsageError(f"{text}: give a URL such as {DEFAULT_URL}; TLS is not spoken here")
    return Url(parts.hostname, parts.port or 80)


def _token(secret: str, printing: str | None) -> Token:
    if printing is not None:
        return printed_by(printing)
    if not secret:
        raise click.UsageError("say who may come in: --token-secret or --token-command")
    return Issuer(secret).token


def _meters(places: tuple[Url, ...], pids: tuple[int, ...]) -> tuple[Meter, ...]:
    """The processes behind each place; none unless they are known of all."""
    if pids:
        return (Meter(pids),)
    with suppress(OSError):
        found = [listening(place) for place in places]
        known = tuple(each for each in found if each is not None)
        if len(known) == len(places) and all(_ours(each) for each in known):
            return known
    return ()


def _ours(meter: Meter) -> bool:
    return all(os.access(f"/proc/{pid}/stat", os.R_OK) for pid in meter.pids)
