"""A gallery of any size, made in bulk: a million posts, 10 million likes and all that belongs to them in minutes."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg

from store.queries import Queries

POSTS = 1_000_000
PEOPLE = 200_000
SMALLEST = 0.002
"""Of the full size: in a smaller one nobody would stand out."""

BEGINS = 1_669_852_800_000
ENDS = 1_793_491_200_000
"""Milliseconds since 1970 between which everything happens: December 2022 to November 2026."""

_STEPS = Queries(Path(__file__).with_name("gallery.sql"))
_SYLLABLES = "".join(c + v for c in "bdfgklmnprstvz" for v in "aeiou")[:128]


async def generate(
    superuser_url: str,
    *,
    scale: float = 1.0,
    seed: int = 1,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Fill a migrated, empty database; the same `scale` and `seed` give the same rows.

    It needs a superuser, who may load rows without every reference being looked up.
    """
    posts, people = math.ceil(POSTS * scale), math.ceil(PEOPLE * scale)
    if scale < SMALLEST:
        raise ValueError(f"a generated gallery has at least {SMALLEST} of the full size")
    values: dict[str, int | str] = {
        "posts": posts,
        "people": people,
        "prime": _prime_below(people - 2),
        "seed": seed,
        "begins": BEGINS,
        "ends": ENDS,
        "span": ENDS - BEGINS,
        "syllables": _SYLLABLES,
    }
    connection = await asyncpg.connect(superuser_url)
    try:
        for name, step in _STEPS.items():
            at = time.monotonic()
            await connection.execute(_filled(step, values), timeout=None)
            say(f"{name}: {time.monotonic() - at:.1f} s")
    finally:
        await connection.close()


def _filled(step: str, values: dict[str, int | str]) -> str:
    for name, value in values.items():
        step = step.replace(f":{name}", str(value))
    return step


def _prime_below(most: int) -> int:
    return next(n for n in range(most, 1, -1) if all(n % d for d in range(2, math.isqrt(n) + 1)))
