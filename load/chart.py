"""An outcome as one HTML page without anything from outside: its figures, its pace, its latencies."""

from collections.abc import Sequence
from html import escape
from math import log10

from load.latency import Spread
from load.outcome import Outcome

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 240, 64, 28
CURVE = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1.0)
COLOURS = ("#1f6f8b", "#d1495b", "#66a182", "#edae49")

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; color: #222 }}
table {{ border-collapse: collapse }} td {{ padding: .1rem 1rem .1rem 0 }} td + td {{ text-align: right }}
svg {{ font-size: 11px }} .bad {{ color: #b00020 }}
</style>
<h1>{title}</h1>
<table>{figures}</table>
{complaints}
{charts}
</html>
"""


def page(outcome: Outcome) -> str:
    """The page."""
    title = escape(f"{outcome.scenario} · {outcome.deployment}")
    figures = "".join(
        f"<tr><td>{escape(name)}<td>{value:,.2f}" for name, value in outcome.figures.items()
    )
    complaints = "".join(
        f'<p class="bad">{escape(each)}' for each in (*outcome.faults, *outcome.doubts)
    )
    charts = ""
    if len(outcome.pace) > 1:
        charts += "<h2>Answers per second</h2>" + _pace(outcome.pace)
    if any(len(each) for each in outcome.spreads.values()):
        charts += "<h2>Latency by percentile, in ms</h2>" + _percentiles(outcome.spreads)
    return _PAGE.format(title=title, figures=figures, complaints=complaints, charts=charts)


def _pace(pace: Sequence[tuple[float, float]]) -> str:
    longest = max(at for at, _ in pace)
    top = max(rate for _, rate in pace) or 1.0
    points = [(at / longest, rate / top) for at, rate in pace]
    marks = [(share, f"{share * top:,.0f}") for share in (0, 0.5, 1)]
    under = [(share, f"{share * longest:.0f} s") for share in (0, 0.5, 1)]
    return _svg([("", points)], marks, under)


def _percentiles(spreads: "dict[str, Spread]") -> str:
    curves = {name: each for name, each in spreads.items() if len(each)}
    most = max(each.at(1.0) for each in curves.values()) * 1e3
    low, high = -1.0, max(1.0, log10(max(most, 1e-3)) + 0.1)

    def height(milliseconds: float) -> float:
        return (log10(max(milliseconds, 0.1)) - low) / (high - low)

    lines = [
        (
            name,
            [(i / (len(CURVE) - 1), height(each.at(share) * 1e3)) for i, share in enumerate(CURVE)],
        )
        for name, each in curves.items()
    ]
    decades = range(int(low), int(high) + 1)
    marks = [(height(10.0**decade), f"{10.0**decade:g}") for decade in decades]
    under = [(i / (len(CURVE) - 1), f"p{share * 100:g}") for i, share in enumerate(CURVE) if i % 2]
    return _svg(lines, marks, under)


def _svg(
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    marks: Sequence[tuple[float, str]],
    under: Sequence[tuple[float, str]],
) -> str:
    """Lines over the unit square, with marks at the left and below."""

    def x(share: float) -> float:
        return LEFT + share * (WIDTH - LEFT - 8)

    def y(share: float) -> float:
        return (HEIGHT - BOTTOM) - share * (HEIGHT - BOTTOM - 12)

    parts = [
        f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{y(at):.0f}" y2="{y(at):.0f}" stroke="#ddd"/>'
        f'<text x="{LEFT - 6}" y="{y(at) + 4:.0f}" text-anchor="end">{text}</text>'
        for at, text in marks
    ]
    parts += [
        f'<text x="{x(at):.0f}" y="{HEIGHT - 8}" text-anchor="middle">{text}</text>'
        for at, text in under
    ]
    for i, (name, points) in enumerate(lines):
        colour = COLOURS[i % len(COLOURS)]
        path = " ".join(f"{x(across):.1f},{y(up):.1f}" for across, up in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(
            f'<text x="{LEFT + 8}" y="{24 + 14 * i}" fill="{colour}">{escape(name)}</text>'
        )
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}">{"".join(parts)}</svg>'
