"""Pictures for the demo gallery: SVG drawn by chance from a seed, the same for the same seed.

A picture is a few kilobytes of plain shapes: no scripts, no styles, nothing fetched from elsewhere.
"""

import html
import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

SIZES = {
    "twitch_emote": (448, 448),
    "youtube_thumbnail": (1280, 720),
    "twitch_banner": (1200, 480),
    "twitch_badge": (288, 288),
    "overlay": (1920, 1080),
    "twitch_panel": (640, 400),
    "twitch_offline": (1920, 1080),
}
"""Width and height of each asset type, in the proportions that the streaming sites ask for."""


class Palette(NamedTuple):
    """`ground` and `ink` contrast; `tones` go with both."""

    ground: str
    ink: str
    tones: tuple[str, str, str, str]


PALETTES = (
    Palette("#f4ecdd", "#1d2b3a", ("#e4572e", "#f3a712", "#29706b", "#a8c686")),
    Palette("#10162b", "#f5efe0", ("#ff5d73", "#ffc15e", "#3fb8af", "#6a5acd")),
    Palette("#fbe3d6", "#3b1c32", ("#d7263d", "#f46036", "#2e294e", "#1b998b")),
    Palette("#e7eef0", "#0f2233", ("#0b6e99", "#f2c14e", "#f78154", "#5fad56")),
    Palette("#1f1235", "#ffe8d6", ("#ff3864", "#ff8c42", "#2de2e6", "#7b2cbf")),
    Palette("#f7f3e3", "#2b2118", ("#6f1a07", "#af9164", "#b3b6b7", "#2f6690")),
    Palette("#0e2a25", "#f2f5de", ("#d9f24f", "#ff7f50", "#17b890", "#5e8c61")),
    Palette("#fff4f0", "#22223b", ("#9a8c98", "#c9ada7", "#4a4e69", "#f2545b")),
    Palette("#fdf0d5", "#003049", ("#c1121f", "#669bbc", "#780000", "#e9b44c")),
    Palette("#20222b", "#eceff4", ("#bf616a", "#ebcb8b", "#88c0d0", "#a3be8c")),
    Palette("#dff2e1", "#14342b", ("#ff8552", "#297373", "#e9d758", "#39393a")),
    Palette("#ece4f7", "#231942", ("#5e548e", "#e0607e", "#f6ae2d", "#33658a")),
    Palette("#2b0f1c", "#fbeee6", ("#f0386b", "#ff9e6d", "#f8c0c8", "#5f0f40")),
    Palette("#e9f1f7", "#131b23", ("#e71d36", "#2ec4b6", "#ff9f1c", "#8d99ae")),
)


def picture(seed: str, asset_type: str, title: str = "") -> str:
    """An SVG of the asset type's size; raises KeyError for a type that is not in SIZES."""
    chance = random.Random(f"{asset_type}:{seed}")  # noqa: S311 (chance for beauty, not for secrets)
    width, height = SIZES[asset_type]
    draw = _DRAWINGS[asset_type]
    palette = chance.choice(PALETTES)
    return _svg(width, height, draw(chance, palette, width, height, _printable(title)))


def avatar(seed: str) -> str:
    """A square portrait of somebody who does not exist."""
    chance = random.Random(f"avatar:{seed}")  # noqa: S311 (chance for beauty, not for secrets)
    palette = chance.choice(PALETTES)
    return _svg(160, 160, _portrait(chance, palette))


Scene = Callable[[random.Random, Palette, int, int], Iterator[str]]


# What hangs in the frame, by asset type ---------------------------------------------------------


def _emote(
    chance: random.Random, palette: Palette, width: int, height: int, title: str
) -> Iterator[str]:
    """A small creature with a mood, on nothing."""
    skin, *rest = chance.sample(palette.tones, 4)
    ink, light = _dark_and_light(palette)
    centre = width / 2
    yield from _ears(chance, skin, rest[0], ink)
    if chance.random() < 0.5:
        yield _blob(chance, centre, 246, 158, 9, 0.05, fill=skin, stroke=ink, width=12)
    else:
        yield (
            f'<rect x="76" y="98" width="296" height="300" rx="{chance.choice((92, 120, 148))}" '
            f'fill="{skin}" stroke="{ink}" stroke-width="12"/>'
        )
    for side in (-1, 1):
        yield _ellipse(centre + side * 104, 282, 26, 15, fill=rest[1], opacity=0.8)
    yield from _eyes(chance, centre, 226, 66, ink, light)
    yield from _mouth(chance, centre, 300, 44, ink, light, rest[1])
    yield from _extra(chance, rest, ink)


def _thumbnail(
    chance: random.Random, palette: Palette, width: int, height: int, title: str
) -> Iterator[str]:
    """A scene with its title set large on a slab."""
    yield from chance.choice(SCENES)(chance, palette, width, height)
    ink, light = _dark_and_light(palette)
    lines = _lines(title.upper(), 15)[:3] if title else []
    tall = 130 * len(lines) + 60
    top = chance.choice((60, height - tall - 60))
    slab = chance.random() < 0.5
    if lines and slab:
        longest = max(len(line) for line in lines)
        yield _rect(60, top, min(width - 120, 120 + 71 * longest), tall, light)
        yield _rect(60, top, 18, tall, chance.choice(palette.tones))
    for row, line in enumerate(lines):
        y = top + 133 + 130 * row
        if not slab:
            yield _text(line, 80, y, 128, light, anchor="start", outline=light)
        yield _text(line, 80 if not slab else 118, y, 112 if slab else 128, ink, anchor="start")


def _banner(
    chance: random.Random, palette: Palette, width: int, height: int, title: str
) -> Iterator[str]:
    """A wide scene that leaves the rest to the channel."""
    yield from chance.choice(SCENES)(chance, palette, width, height)


def _badge(
    chance: random.Random, palette: Palette, width: int, height: int, title: str
) -> Iterator[str]:
    """An emblem: a shape, its rim, and a charge in the middle."""
    ink, light = _dark_and_light(palette)
    field, rim, charge, _ = chance.sample(palette.tones, 4)
    shapes = (
        _polygon(_ring(144, 144, 128, 6, 30), rim, ink, 10),
        _polygon(_ring(144, 144, 132, 8, 22.5), rim, ink, 10),
        _polygon(_star(144, 144, 134, 108, 12), rim, ink, 10),
        _polygon(_star(144, 144, 132, 116, 20), rim, ink, 10),
        _path("M144 14 262 52V150C262 216 210 254 144 276 78 254 26 216 26 150V52Z", rim, ink, 10),
        _circle(144, 144, 126, rim, ink, 10),
    )
    yield chance.choice(shapes)
    yield _circle(144, 144, 84, field, ink, 6)
    for mark in range(24):
        x, y = _on_circle(144, 144, 99, mark * 15)
        yield _circle(x, y, 3, light)
    charges = (
        _polygon(_star(144, 146, 62, 27, 5), charge, ink, 8),
        _polygon(_star(144, 144, 64, 22, 4), charge, ink, 8),
        _path("M144 196C70 146 92 92 144 124 196 92 218 146 144 196Z", charge, ink, 8),
        _path("M96 178V112L124 140 144 100 164 140 192 112V178Z", charge, ink, 8),
        _path("M160 84 100 158H138L126 206 190 128H150Z", charge, ink, 8),
        _path("M144 90C196 132 198 192 144 202 90 192 92 132 144 90Z", charge, ink, 8)
        + _path("M144 138C166 160 166 186 144 190 122 186 122 160 144 138Z", light),
        _circle(144, 144, 52, charge, ink, 8) + _circle(168, 128, 44, field),
        _path("M92 130 120 100H168L196 130 144 200Z", charge, ink, 8)
        + _line(((92, 130), (196, 130)), ink, 6)
        + _line(((120, 100), (144, 130), (168, 100)), ink, 6),
    )
    yield chance.choice(charges)


def _overlay(
    chance: random.Random, palette: Palette, width: int, height: int, title: str
) -> Iterator[str]:
    """A streaming layout: the game's window, the camera, the chat, and a strip with the title."""
    ink, light = _dark_and_light(palette)
    accent, wall = chance.sample(palette.tones, 2)
    yield _rect(0, 0, width, height, wall)
    for stripe in range(0, width + height, 120):
        yield _line(((stripe, -40), (stripe - height, height)), _mix(wall, ink, 0.12), 36)
    cut = chance.choice((0, 24, 60))
    flip = chance.random() < 0.5
    game, side = (60, 1400) if not flip else (580, 60)
    yield _rect(game, 60, 1280, 800, ink, rx=cut, stroke=light, width=10)
    yield f'<svg x="{game + 28}" y="88" width="1224" height="744" viewBox="0 0 1224 744">'
    yield from chance.choice(SCENES)(chance, chance.choice(PALETTES), 1224, 744)
    yield "</svg>"
    yield _rect(side, 60, 460, 340, ink, rx=cut, stroke=accent, width=10)
    x = side + 230
    yield _circle(x, 200, 62, light, opacity=0.85)
    yield _path(f"M{_n(x - 120)} 392C{_n(x - 110)} 270 {_n(x + 110)} 270 {_n(x + 120)} 392Z", light)
    yield _rect(side, 440, 460, 420, ink, rx=cut, stroke=light, width=10)
    for row in range(6):
        y = 492 + row * 58
        yield _circle(side + 58, y + 10, 16, palette.tones[row % 4])
        yield _rect(side + 92, y, chance.randint(120, 320), 20, light, rx=10, opacity=0.75)
    yield _rect(60, 910, 1800, 110, light, rx=min(cut, 55))
    yield _rect(60, 910, 210, 110, accent, rx=min(cut, 55))
    yield _circle(116, 965, 18, light)
    yield _text("LIVE", 146, 982, 48, light, anchor="start")
    if title:
        yield _text(title[:48], 316, 984, 54, ink, anchor="start")


def _panel(
    chance: random.Random, palette: Palette, width: int, height: int, title: str
) -> Iterator[str]:
    """A heading for the text below a stream."""
    ink, light = _dark_and_light(palette)
    yield from chance.choice(SCENES)(chance, palette, width, height)
    if title:
        top = chance.choice((118, 250))
        lines = _lines(title, 20)[:2]
        yield _rect(0, top, width, 100 + 10 * len(lines), ink)
        yield _rect(0, top + 100 + 10 * len(lines), width, 12, chance.choice(palette.tones))
        if len(lines) == 1:
            yield _text(lines[0], width / 2, top + 74, 60 if len(lines[0]) < 16 else 50, light)
        for row, line in enumerate(lines if len(lines) == 2 else ()):
            yield _text(line, width / 2, top + 52 + 48 * row, 44, light)


def _offline(
    chance: random.Random, palette: Palette, width: int, height: int, title: str
) -> Iterator[str]:
    """What a channel shows while nobody is there."""
    ink, light = _dark_and_light(palette)
    yield from chance.choice(SCENES)(chance, palette, width, height)
    accent = chance.choice(palette.tones)
    yield _rect(0, 400, width, 280, ink)
    yield _rect(0, 400, width, 14, accent)
    yield _text(
        chance.choice(("OFFLINE", "BACK SOON", "ZZZ", "TOMORROW, 19:00")), 960, 566, 150, light
    )
    if title:
        yield _text(title[:60], 960, 642, 48, _mix(light, ink, 0.25))


# Scenes -------------------------------------------------------------------------------------------


def _quilt(chance: random.Random, palette: Palette, width: int, height: int) -> Iterator[str]:
    """Quarter circles, halves and dots on a grid."""
    side = height / chance.choice((3, 4))
    columns, rows = math.ceil(width / side), math.ceil(height / side)
    yield _rect(0, 0, width, height, palette.ground)
    for cell in range(columns * rows):
        x, y = cell % columns * side, cell // columns * side
        under, over = chance.sample((*palette.tones, palette.ground, palette.ink), 2)
        yield _rect(x, y, side + 0.5, side + 0.5, under)
        a, b, c, d = (x, y), (x + side, y), (x + side, y + side), (x, y + side)
        corners = [a, b, c, d]
        turn = chance.randrange(4)
        a, b, c, d = corners[turn:] + corners[:turn]
        match chance.randrange(6):
            case 0 | 1:
                yield _path(f"M{_p(a)}L{_p(b)}A{_n(side)} {_n(side)} 0 0 1 {_p(d)}Z", over)
            case 2:
                half = _n(side / 2)
                yield _path(f"M{_p(a)}A{half} {half} 0 0 0 {_p(b)}Z", over)
                yield _path(f"M{_p(d)}A{half} {half} 0 0 1 {_p(c)}Z", over)
            case 3:
                yield _polygon((a, b, d), over)
            case 4:
                yield _circle(x + side / 2, y + side / 2, side * chance.choice((0.2, 0.34)), over)
            case _:
                yield _path(f"M{_p(a)}A{_n(side)} {_n(side)} 0 0 1 {_p(c)}"
                            f"A{_n(side)} {_n(side)} 0 0 1 {_p(a)}Z", over)  # fmt: skip


def _orbits(chance: random.Random, palette: Palette, width: int, height: int) -> Iterator[str]:
    """Rings around a sun that is rarely in the middle."""
    yield _rect(0, 0, width, height, palette.ground)
    x, y = width * chance.uniform(0.25, 0.75), height * chance.uniform(0.3, 0.7)
    for ring in range(9, 0, -1):
        radius = height * (0.12 + 0.105 * ring)
        tone = chance.choice(palette.tones)
        if chance.random() < 0.35:
            yield _circle(x, y, radius, tone)
            continue
        yield _circle(
            x, y, radius, "none", chance.choice((tone, palette.ink)), chance.choice((2, 4, 10, 22))
        )
        px, py = _on_circle(x, y, radius, chance.uniform(0, 360))
        yield _circle(px, py, height * chance.uniform(0.012, 0.05), palette.ink)
    yield _circle(x, y, height * 0.14, palette.tones[0])
    yield _circle(x, y, height * 0.09, palette.ink)


def _dunes(chance: random.Random, palette: Palette, width: int, height: int) -> Iterator[str]:
    """Hills behind hills, and something in the sky."""
    sky = palette.ground
    yield _rect(0, 0, width, height, sky)
    for _ in range(24):
        yield _circle(
            chance.uniform(0, width), chance.uniform(0, height * 0.6), height / 260, palette.ink
        )
    sun, x = height * chance.uniform(0.1, 0.2), width * chance.uniform(0.2, 0.8)
    y = height * chance.uniform(0.2, 0.42)
    yield _circle(x, y, sun, palette.tones[1])
    if chance.random() < 0.4:
        yield _circle(x + sun * 0.5, y - sun * 0.25, sun * 0.92, sky)
    layers = 5
    for layer in range(layers):
        base = height * (0.46 + 0.115 * layer)
        sway, lap = height * chance.uniform(0.03, 0.11), width / chance.uniform(1.2, 2.8)
        start = chance.uniform(0, lap)
        points = [
            (px, base + sway * math.sin((px + start) / lap * math.tau))
            for px in range(0, width + 1, width // 16)
        ]
        colour = _mix(palette.tones[2], palette.ink if layer > 1 else sky, abs(layer - 1.5) / 4)
        yield _path(f"{_smooth(points)}V{height}H0Z", colour)


def _ribbons(chance: random.Random, palette: Palette, width: int, height: int) -> Iterator[str]:
    """Broad bands that flow side by side across the wall."""
    yield _rect(0, 0, width, height, palette.ground)
    band = height / 11
    ys = [chance.uniform(-0.1, 0.7) * height for _ in range(5)]
    order = [*palette.tones, palette.ink]
    chance.shuffle(order)
    for lane in range(6):
        points = [(width * (k / 4 * 1.2 - 0.1), y + band * lane) for k, y in enumerate(ys)]
        yield _path(_smooth(points), "none", order[lane % 5], band * 1.02)
    yield _circle(
        width * chance.uniform(0.1, 0.9),
        height * 0.8,
        height * chance.uniform(0.06, 0.16),
        order[0],
    )


def _bars(chance: random.Random, palette: Palette, width: int, height: int) -> Iterator[str]:
    """Tilted rectangles in balance, after the suprematists."""
    yield _rect(0, 0, width, height, palette.ground)
    tilt = chance.choice((-1, 1)) * chance.uniform(14, 40)
    yield _circle(
        width * chance.uniform(0.2, 0.8), height * chance.uniform(0.25, 0.75), height * 0.24,
        chance.choice(palette.tones),
    )  # fmt: skip
    for _ in range(13):
        long, thin = height * chance.uniform(0.15, 0.95), height * chance.choice((0.02, 0.05, 0.1))
        x, y = width * chance.uniform(0.08, 0.92), height * chance.uniform(0.08, 0.92)
        angle = tilt if chance.random() < 0.75 else tilt + 90
        yield (
            f'<rect x="{_n(x - long / 2)}" y="{_n(y - thin / 2)}" width="{_n(long)}" '
            f'height="{_n(thin)}" fill="{chance.choice((*palette.tones, palette.ink))}" '
            f'transform="rotate({_n(angle)} {_n(x)} {_n(y)})"/>'
        )


def _ridges(chance: random.Random, palette: Palette, width: int, height: int) -> Iterator[str]:
    """A pulse, line below line."""
    yield _rect(0, 0, width, height, palette.ground)
    peak, spread = width * chance.uniform(0.35, 0.65), width * chance.uniform(0.12, 0.2)
    lines = 16
    accent = chance.randrange(lines)
    for line in range(lines):
        base = height * (0.26 + 0.62 * line / (lines - 1))
        points = []
        for step in range(29):
            x = width * (0.06 + 0.88 * step / 28)
            swell = math.exp(-(((x - peak) / spread) ** 2))
            points.append((x, base - height * 0.17 * swell * chance.random() - chance.random() * 4))
        colour = palette.tones[0] if line == accent else palette.ink
        yield _path(_smooth(points), palette.ground, colour, height / 160)


def _terrazzo(chance: random.Random, palette: Palette, width: int, height: int) -> Iterator[str]:
    """Chips of stone in a poured floor."""
    yield _rect(0, 0, width, height, palette.ground)
    across = 9 if width > height * 1.2 else 6
    cell = width / across
    for spot in range(across * math.ceil(height / cell)):
        x = (spot % across + chance.uniform(0.2, 0.8)) * cell
        y = (spot // across + chance.uniform(0.2, 0.8)) * cell
        radius = cell * chance.uniform(0.12, 0.5)
        sides, turn = chance.randint(4, 6), chance.uniform(0, 360)
        points = [
            _on_circle(x, y, radius * chance.uniform(0.6, 1.1), turn + 360 * side / sides)
            for side in range(sides)
        ]
        yield _polygon(points, chance.choice((*palette.tones, palette.ink)))


def _arches(chance: random.Random, palette: Palette, width: int, height: int) -> Iterator[str]:
    """Doorways within doorways, some with a sun in them."""
    yield _rect(0, 0, width, height, _mix(palette.ground, palette.tones[3], 0.25))
    count = max(2, round(width / height * 1.8))
    span = width / count
    for door in range(count):
        middle = span * (door + 0.5)
        foot = height
        crown = height * chance.uniform(0.22, 0.5)
        colours = chance.sample((*palette.tones, palette.ground, palette.ink), 4)
        for depth, colour in enumerate(colours):
            half = span * (0.46 - 0.1 * depth)
            top = crown + span * 0.1 * depth
            yield _path(
                f"M{_n(middle - half)} {foot}V{_n(top + half)}A{_n(half)} {_n(half)} 0 0 1 "
                f"{_n(middle + half)} {_n(top + half)}V{foot}Z",
                colour,
            )
        if chance.random() < 0.5:
            yield _circle(middle, crown * 0.45, span * 0.14, chance.choice(palette.tones))


def _skyline(chance: random.Random, palette: Palette, width: int, height: int) -> Iterator[str]:
    """A town at night, a few windows still lit."""
    night, light = _dark_and_light(palette)
    yield _rect(0, 0, width, height, _mix(night, palette.tones[0], 0.35))
    yield _circle(
        width * chance.uniform(0.15, 0.85), height * chance.uniform(0.18, 0.4), height * 0.12, light
    )
    for row, depth in enumerate((0.35, 0.75)):
        x = -width * 0.02
        wall = _mix(night, palette.tones[0], 0.35 - 0.3 * depth)
        while x < width:
            broad = height * chance.uniform(0.12, 0.26)
            tall = height * chance.uniform(0.22, 0.66 - 0.16 * row)
            yield _rect(x, height - tall, broad, tall, wall)
            if chance.random() < 0.25:
                tip = f"L{_n(x + broad / 2)} {_n(height - tall - broad * 0.7)}L"
                yield _path(
                    f"M{_n(x)} {_n(height - tall)}{tip}{_n(x + broad)} {_n(height - tall)}Z", wall
                )
            for _ in range(4 if row else 1):
                pane = height * 0.022
                wx = x + broad * chance.choice((0.2, 0.45, 0.7))
                wy = height - tall + pane * 2 * chance.randint(1, 7)
                if wy < height - pane:
                    yield _rect(wx, wy, pane, pane * 1.3, chance.choice(palette.tones[1:]))
            x += broad * chance.uniform(0.9, 1.1)


def _meadow(chance: random.Random, palette: Palette, width: int, height: int) -> Iterator[str]:
    """Stems, leaves and round flowers, pressed flat."""
    yield _rect(0, 0, width, height, palette.ground)
    stems = round(width / height * 5)
    leaf_colour = palette.tones[2]
    for stem in range(stems):
        x = width * (stem + chance.uniform(0.25, 0.75)) / stems
        top = height * chance.uniform(0.14, 0.52)
        lean = width * chance.uniform(-0.03, 0.03)
        yield _path(
            f"M{_n(x)} {height}Q{_n(x)} {_n((top + height) / 2)} {_n(x + lean)} {_n(top)}",
            "none", leaf_colour, height / 90,
        )  # fmt: skip
        for pair in range(3):
            y = height * (0.94 - 0.13 * pair)
            if y < top + height * 0.12:
                break
            for side in (-1, 1):
                reach = side * height * 0.085
                yield _path(
                    f"M{_n(x)} {_n(y)}q{_n(reach * 0.3)} {_n(-height * 0.07)} {_n(reach)} "
                    f"{_n(-height * 0.075)}q{_n(-reach * 0.1)} {_n(height * 0.075)} {_n(-reach)} "
                    f"{_n(height * 0.075)}Z",
                    leaf_colour,
                )
        bloom = height * chance.uniform(0.05, 0.1)
        petal, heart = chance.sample((palette.tones[0], palette.tones[1], palette.tones[3]), 2)
        if chance.random() < 0.5:
            yield _polygon(
                _star(x + lean, top, bloom, bloom * 0.62, chance.choice((8, 11, 14))), petal
            )
        else:
            for side in range(6):
                px, py = _on_circle(x + lean, top, bloom * 0.6, side * 60)
                yield _circle(px, py, bloom * 0.42, petal)
        yield _circle(x + lean, top, bloom * 0.36, heart)


def _still_life(chance: random.Random, palette: Palette, width: int, height: int) -> Iterator[str]:
    """Bottles, bowls and fruit on a table."""
    yield _rect(0, 0, width, height, palette.ground)
    table = height * 0.7
    yield _rect(0, table, width, height - table, _mix(palette.tones[1], palette.ground, 0.35))
    yield _rect(0, table, width, height / 180, palette.ink)
    things = max(3, round(width / height * 3.2))
    for thing in range(things):
        x = width * (thing + 0.5 + chance.uniform(-0.15, 0.15)) / things
        foot = height * chance.uniform(0.76, 0.88)
        unit = height * chance.uniform(0.1, 0.14)
        colour = chance.choice(palette.tones)
        yield _ellipse(x, foot, unit * 1.1, unit * 0.14, fill=palette.ink, opacity=0.25)
        match chance.randrange(4):
            case 0:
                body = (f"M{_n(x - unit * 0.7)} {_n(foot)}v{_n(-unit * 1.7)}q0 {_n(-unit * 0.6)} "
                        f"{_n(unit * 0.45)} {_n(-unit * 0.7)}v{_n(-unit * 1.5)}h{_n(unit * 0.5)}"
                        f"v{_n(unit * 1.5)}q{_n(unit * 0.45)} {_n(unit * 0.1)} {_n(unit * 0.45)} "
                        f"{_n(unit * 0.7)}v{_n(unit * 1.7)}Z")  # fmt: skip
                yield _path(body, colour)
                yield _rect(
                    x - unit * 0.7, foot - unit * 1.1, unit * 1.4, unit * 0.6, palette.ground
                )
            case 1:
                yield _path(
                    f"M{_n(x - unit)} {_n(foot - unit)}"
                    f"h{_n(unit * 2)}q{_n(-unit * 0.1)} {_n(unit)} "
                    f"{_n(-unit * 0.6)} {_n(unit)}h{_n(-unit * 0.8)}q{_n(-unit * 0.5)} 0 "
                    f"{_n(-unit * 0.6)} {_n(-unit)}Z",
                    colour,
                )
                for fruit in (-0.5, 0, 0.5):
                    yield _circle(
                        x + unit * fruit, foot - unit * 1.18, unit * 0.34, palette.tones[0]
                    )
                yield _rect(x - unit, foot - unit * 1.06, unit * 2, unit * 0.2, colour)
            case 2:
                yield _ellipse(x, foot - unit, unit * 0.95, unit, fill=colour)
                yield _rect(x - unit * 0.3, foot - unit * 2.5, unit * 0.6, unit * 1.2, colour)
                yield _ellipse(x, foot - unit * 2.5, unit * 0.45, unit * 0.12, fill=palette.ink)
            case _:
                yield _circle(x, foot - unit * 0.6, unit * 0.62, colour)
                yield _path(
                    f"M{_n(x)} {_n(foot - unit * 1.15)}q{_n(unit * 0.05)} {_n(-unit * 0.3)} "
                    f"{_n(unit * 0.25)} {_n(-unit * 0.4)}",
                    "none", palette.ink, unit * 0.09,
                )  # fmt: skip


def _scales(chance: random.Random, palette: Palette, width: int, height: int) -> Iterator[str]:
    """Rows of overlapping waves, a fish's or the sea's."""
    radius = height / chance.choice((5, 6))
    first, second = chance.sample(palette.tones, 2)
    yield _rect(0, 0, width, height, first)
    for row in range(math.ceil(height / (radius * 0.5)) + 2):
        y = row * radius * 0.5
        shift = radius if row % 2 else 0
        tone = _mix(first, second, min(1.0, y / height))
        circles = [
            (column * radius * 2 + shift, y + radius * 0.4)
            for column in range(math.ceil(width / radius / 2) + 1)
        ]
        for scale, colour in ((1.0, palette.ground), (0.82, tone), (0.5, palette.ground)):
            r = _n(radius * scale)
            arcs = (f"M{_n(x - radius * scale)} {_n(cy)}a{r} {r} 0 0 1 {_n(radius * scale * 2)} 0Z"
                    for x, cy in circles)  # fmt: skip
            yield _path("".join(arcs), colour)


SCENES: tuple[Scene, ...] = (
    _quilt, _orbits, _dunes, _ribbons, _bars, _ridges, _terrazzo, _arches, _skyline, _meadow,
    _still_life, _scales,
)  # fmt: skip

_DRAWINGS: dict[str, Callable[[random.Random, Palette, int, int, str], Iterator[str]]] = {
    "twitch_emote": _emote,
    "youtube_thumbnail": _thumbnail,
    "twitch_banner": _banner,
    "twitch_badge": _badge,
    "overlay": _overlay,
    "twitch_panel": _panel,
    "twitch_offline": _offline,
}


# Faces --------------------------------------------------------------------------------------------


def _portrait(chance: random.Random, palette: Palette) -> Iterator[str]:
    ink, light = _dark_and_light(palette)
    wall, coat, hair, cheek = chance.sample(palette.tones, 4)
    skin = chance.choice(("#f6d3bd", "#e8b48f", "#c98b62", "#9a623f", "#6b412a", "#f2c9a1"))
    yield _rect(0, 0, 160, 160, wall)
    style = chance.randrange(5)
    if style == 0:
        yield _path("M36 150V74C36 22 124 22 124 74V150Z", hair)
    elif style == 1:
        yield _blob(chance, 80, 66, 52, 11, 0.1, fill=hair)
    elif style == 2:
        yield _circle(80, 26, 18, hair)
    yield _path("M14 160C18 122 52 116 80 116 108 116 142 122 146 160Z", coat)
    yield _rect(66, 94, 28, 34, _mix(skin, ink, 0.12), rx=12)
    yield _rect(46, 42, 68, 72, skin, rx=33)
    if style == 3:
        yield _path("M44 70C44 24 116 24 116 70 104 54 90 58 80 50 70 58 56 54 44 70Z", hair)
    elif style == 4:
        yield _path("M42 62C46 34 114 34 118 62L134 66 42 68Z", hair)
    else:
        yield _path("M45 72C46 34 114 34 115 72 108 56 60 48 45 72Z", hair)
    for side in (-1, 1):
        yield _circle(80 + side * 15, 78, 4, ink)
        yield _circle(80 + side * 24, 92, 6, cheek, opacity=0.5)
    if chance.random() < 0.4:
        for side in (-1, 1):
            yield _circle(80 + side * 15, 78, 11, "none", ink, 3)
        yield _line(((76, 76), (84, 76)), ink, 3)
    if chance.random() < 0.25:
        yield _path("M56 92C58 122 102 122 104 92 96 100 64 100 56 92Z", hair)
    yield _path(f"M70 97Q80 {chance.choice((99, 104, 108))} 90 97", "none", ink, 3.5)
    if chance.random() < 0.3:
        yield _circle(46, 94, 4, light)
        yield _circle(114, 94, 4, light)


def _ears(chance: random.Random, skin: str, inner: str, ink: str) -> Iterator[str]:
    match chance.randrange(5):
        case 0:
            yield _path("M92 190 84 52 196 122Z", skin, ink, 12)
            yield _path("M356 190 364 52 252 122Z", skin, ink, 12)
            yield _path("M110 150 106 92 154 122Z", inner)
            yield _path("M338 150 342 92 294 122Z", inner)
        case 1:
            for x in (116, 332):
                yield _circle(x, 122, 54, skin, ink, 12)
                yield _circle(x, 122, 26, inner)
        case 2:
            for x, tilt in ((152, -10), (296, 10)):
                yield (
                    f'<ellipse cx="{x}" cy="92" rx="38" ry="82" fill="{skin}" stroke="{ink}" '
                    f'stroke-width="12" transform="rotate({tilt} {x} 92)"/>'
                )
        case 3:
            yield _path("M150 120C96 104 84 60 96 30 120 66 160 60 190 104Z", inner, ink, 12)
            yield _path("M298 120C352 104 364 60 352 30 328 66 288 60 258 104Z", inner, ink, 12)
        case _:
            yield _line(((224, 110), (224, 48)), ink, 12)
            yield _circle(224, 40, 24, inner, ink, 12)


def _eyes(
    chance: random.Random, x: float, y: float, apart: float, ink: str, light: str
) -> Iterator[str]:
    mood = chance.randrange(7)
    for side in (-1, 1):
        cx = x + side * apart
        left, right = _n(cx - 28), _n(cx + 28)
        if mood == 0 or (mood == 1 and side < 0):
            yield _circle(cx, y, 34, light, ink, 8)
            yield _circle(cx + 6, y + 4, 18, ink)
            yield _circle(cx + 13, y - 5, 7, light)
        elif mood == 1 or mood == 2:
            yield _path(
                f"M{left} {_n(y + 8)}Q{_n(cx)} {_n(y - 34)} {right} {_n(y + 8)}", "none", ink, 13
            )
        elif mood == 3:
            yield _polygon(_star(cx, y, 40, 17, 5), "#ffd23f", ink, 8)
        elif mood == 4:
            heart = (
                f"M{_n(cx)} {_n(y + 34)}C{_n(cx - 62)} {_n(y - 8)} {_n(cx - 30)} {_n(y - 44)} "
                f"{_n(cx)} {_n(y - 14)} {_n(cx + 30)} {_n(y - 44)} {_n(cx + 62)} {_n(y - 8)} "
                f"{_n(cx)} {_n(y + 34)}Z"
            )
            yield _path(heart, "#ff4d6d", ink, 8)
        elif mood == 5:
            yield _line(
                ((cx - side * 26, y - 22), (cx + side * 14, y), (cx - side * 26, y + 22)), ink, 13
            )
        else:
            yield _ellipse(cx, y, 17, 25, fill=ink)
            yield _circle(cx + 5, y - 9, 7, light)


def _mouth(
    chance: random.Random, x: float, y: float, half: float, ink: str, light: str, tongue: str
) -> Iterator[str]:
    left, right = _n(x - half), _n(x + half)
    match chance.randrange(6):
        case 0:
            yield _path(f"M{left} {_n(y)}Q{_n(x)} {_n(y + 84)} {right} {_n(y)}Z", ink, ink, 10)
            yield _ellipse(x, y + 30, 22, 11, fill=tongue)
        case 1:
            yield _path(
                f"M{left} {_n(y + 6)}Q{_n(x)} {_n(y + 44)} {right} {_n(y + 6)}", "none", ink, 12
            )
        case 2:
            yield _ellipse(x, y + 22, 20, 27, fill=ink)
        case 3:
            scallop = f"q{_n(half / 2)} 34 {_n(half)} 0"
            yield _path(f"M{left} {_n(y)}{scallop}{scallop}", "none", ink, 12)
        case 4:
            yield _rect(x - half, y - 2, half * 2, 44, light, rx=16, stroke=ink, width=10)
            yield _line(((x - half, y + 20), (x + half, y + 20)), ink, 5)
            for tooth in (-0.4, 0, 0.4):
                yield _line(((x + tooth * half, y), (x + tooth * half, y + 42)), ink, 5)
        case _:
            yield _path(
                f"M{left} {_n(y + 30)}Q{_n(x)} {_n(y - 10)} {right} {_n(y + 30)}", "none", ink, 12
            )


def _extra(chance: random.Random, tones: Sequence[str], ink: str) -> Iterator[str]:
    """A hat, a tear, a bow, or nothing."""
    match chance.randrange(7):
        case 0:
            yield _path("M134 112 152 24 224 78 296 24 314 112Z", "#ffd23f", ink, 12)
        case 1:
            yield _path(
                "M118 262C100 292 104 316 122 318 142 316 142 290 118 262Z", "#58b7ff", ink, 7
            )
        case 2:
            yield _path("M224 396 150 360V432ZM224 396 298 360V432Z", tones[2], ink, 10)
            yield _circle(224, 396, 20, tones[2], ink, 10)
        case 3:
            yield _path("M110 124C130 52 318 52 338 124Z", tones[2], ink, 12)
            yield _rect(92, 112, 264, 26, tones[0], rx=13, stroke=ink, width=10)
        case 4:
            yield _polygon(_star(372, 96, 46, 16, 4), "#ffd23f", ink, 8)
            yield _polygon(_star(318, 44, 24, 9, 4), "#ffd23f", ink, 6)


# Shapes -------------------------------------------------------------------------------------------

Point = tuple[float, float]


def _svg(width: int, height: int, shapes: Iterator[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{"".join(shapes)}</svg>'
    )


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _p(point: Point) -> str:
    return f"{_n(point[0])} {_n(point[1])}"


def _paint(fill: str, stroke: str = "", width: float = 0, opacity: float = 1) -> str:
    paint = f'fill="{fill}"'
    if stroke:
        paint += f' stroke="{stroke}" stroke-width="{_n(width)}" stroke-linejoin="round"'
        if fill == "none":
            paint += ' stroke-linecap="round"'
    if opacity < 1:
        paint += f' opacity="{opacity}"'
    return paint


def _rect(
    x: float, y: float, width_: float, height_: float, fill: str,
    *, rx: float = 0, stroke: str = "", width: float = 0, opacity: float = 1,
) -> str:  # fmt: skip
    round_ = f' rx="{_n(rx)}"' if rx else ""
    return (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width_)}" height="{_n(height_)}"{round_} '
        f"{_paint(fill, stroke, width, opacity)}/>"
    )


def _circle(
    x: float, y: float, r: float, fill: str, stroke: str = "", width: float = 0, opacity: float = 1
) -> str:
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}" {_paint(fill, stroke, width, opacity)}/>'


def _ellipse(x: float, y: float, rx: float, ry: float, *, fill: str, opacity: float = 1) -> str:
    return (
        f'<ellipse cx="{_n(x)}" cy="{_n(y)}" rx="{_n(rx)}" ry="{_n(ry)}" '
        f"{_paint(fill, opacity=opacity)}/>"
    )


def _polygon(points: Sequence[Point], fill: str, stroke: str = "", width: float = 0) -> str:
    return f'<polygon points="{" ".join(map(_p, points))}" {_paint(fill, stroke, width)}/>'


def _line(points: Sequence[Point], stroke: str, width: float) -> str:
    return f'<polyline points="{" ".join(map(_p, points))}" {_paint("none", stroke, width)}/>'


def _path(d: str, fill: str, stroke: str = "", width: float = 0) -> str:
    return f'<path d="{d}" {_paint(fill, stroke, width)}/>'


def _text(
    text: str, x: float, y: float, size: int, fill: str,
    *, anchor: str = "middle", outline: str = "",
) -> str:  # fmt: skip
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" font-size="{size}" font-weight="800" '
        f'font-family="Helvetica Neue,Arial,sans-serif" text-anchor="{anchor}" '
        f"{_paint(fill, outline, size / 3 if outline else 0)}>{html.escape(text)}</text>"
    )


def _on_circle(x: float, y: float, radius: float, degrees: float) -> Point:
    angle = math.radians(degrees)
    return x + radius * math.cos(angle), y + radius * math.sin(angle)


def _ring(x: float, y: float, radius: float, sides: int, turn: float = 0) -> list[Point]:
    return [_on_circle(x, y, radius, turn + 360 * side / sides) for side in range(sides)]


def _star(x: float, y: float, outer: float, inner: float, tips: int) -> list[Point]:
    return [
        _on_circle(x, y, inner if step % 2 else outer, -90 + 180 * step / tips)
        for step in range(tips * 2)
    ]


def _smooth(points: Sequence[Point]) -> str:
    """A curve through all points (Catmull-Rom, written as Béziers), round if it ends where it began."""
    d = f"M{_p(points[0])}"
    last = len(points) - 1
    closed = points[0] == points[-1]
    for k in range(last):
        start, end = points[k], points[k + 1]
        before = points[k - 1 if k else last - 1 if closed else 0]
        after = points[k + 2 if k + 2 <= last else 1 if closed else last]
        first = start[0] + (end[0] - before[0]) / 6, start[1] + (end[1] - before[1]) / 6
        second = end[0] - (after[0] - start[0]) / 6, end[1] - (after[1] - start[1]) / 6
        d += f"C{_p(first)} {_p(second)} {_p(end)}"
    return d


def _blob(
    chance: random.Random, x: float, y: float, radius: float, knots: int, wobble: float,
    *, fill: str, stroke: str = "", width: float = 0,
) -> str:  # fmt: skip
    ring = [
        _on_circle(x, y, radius * (1 + chance.uniform(-wobble, wobble)), 360 * knot / knots)
        for knot in range(knots)
    ]
    return _path(f"{_smooth([*ring, ring[0]])}Z", fill, stroke, width)


def _lines(text: str, width: int) -> list[str]:
    """The words of `text` in lines of at most `width` characters, longer words cut."""
    lines = [""]
    for word in (piece[:width] for piece in text.split()):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _mix(one: str, other: str, share: float) -> str:
    """`share` of `other` in `one`."""
    mixed = (
        round(a + (b - a) * share) for a, b in zip(_channels(one), _channels(other), strict=True)
    )
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _dark_and_light(palette: Palette) -> tuple[str, str]:
    dark, light = sorted((palette.ground, palette.ink), key=lambda colour: sum(_channels(colour)))
    return dark, light
