"""How training time grows with rows, frozen layers and seeds: what to measure, and the picture."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from math import log10
from typing import Any

ROWS, LAYERS, SEEDS = "rows", "layers", "seeds"
TRAINER_ROWS = 1_000
"""Trainer's time is straight from here on, and its sessions would take an hour."""

TITLES = {
    ROWS: "rows to learn from (both axes logarithmic)",
    LAYERS: "layers frozen, of 6 (600 rows)",
    SEEDS: "seeds, sharing what is frozen (600 rows)",
}
LINES = {
    ("thaw", "heads"): ("Thaw, heads", "#3b8ea5", ""),
    ("thaw", "lower:4"): ("Thaw, lower:4", "#7a5cc0", ""),
    ("thaw", "lower:K"): ("Thaw, lower:K", "#7a5cc0", ""),
    ("thaw", "full"): ("Thaw, full", "#c77d1e", ""),
    ("trainer", "heads"): ("Trainer, heads", "#3b8ea5", "5 4"),
    ("trainer", "lower:4"): ("Trainer, lower:4", "#7a5cc0", "5 4"),
    ("trainer", "lower:K"): ("Trainer, lower:K", "#7a5cc0", "5 4"),
    ("trainer", "full"): ("Trainer, full", "#c77d1e", "5 4"),
}
"""By way and strategy: the name, the colour and the dashes of its line."""

WIDTH, HEIGHT = 340, 320
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 84, 48
PAPER, INK, SOFT, RULE = "#ffffff", "#1c2733", "#5b6875", "#e3e8ed"


def growth_points(sizes: Sequence[int]) -> Iterator[dict[str, Any]]:
    """List the sessions: over rows, over frozen layers, over seeds; Trainer beside Thaw."""
    for rows in sizes:
        for strategy in ("heads", "lower:4", "full"):
            yield {"way": "thaw", "strategy": strategy, "rows": rows, "seeds": [0]}
            if rows <= TRAINER_ROWS:
                yield {"way": "trainer", "strategy": strategy, "rows": rows, "seeds": [0]}
    for frozen in range(6):
        for way in ("thaw", "trainer"):
            yield {"way": way, "strategy": f"lower:{frozen}", "seeds": [0]}
    for strategy in ("heads", "lower:4"):
        for way in ("thaw", "trainer"):
            yield {"way": way, "strategy": strategy, "seeds": list(range(6))}


def axis_of(session: Mapping[str, Any]) -> str:
    """Name what a session shows."""
    if len(session["seeds"]) > 1:
        return SEEDS
    return ROWS if "rows" in session else LAYERS


def points_of(results: Sequence[Mapping[str, Any]], axis: str) -> dict[tuple[str, str], list[Any]]:
    """Give the points of each line of a panel, (place, seconds) each."""
    lines: dict[tuple[str, str], list[Any]] = {}
    for each in results:
        if each["axis"] != axis:
            continue
        kind = "lower:K" if axis == LAYERS else each["strategy"]
        line = lines.setdefault((each["way"], kind), [])
        if axis == SEEDS:
            line += [(n, each["seconds"][n - 1]) for n in (1, 2, 3, 6) if n <= len(each["seconds"])]
        else:
            place = each["rows"] if axis == ROWS else int(each["strategy"].removeprefix("lower:"))
            line.append((place, each["seconds"][0]))
    return {line: lines[line] for line in LINES if line in lines}


def growth_svg(results: Sequence[Mapping[str, Any]]) -> str:
    """Draw three panels: seconds over rows, over frozen layers, and over seeds.

    Args:
        results: The sessions, each with its `axis`.
    """
    told = "; ".join(
        f"{LINES[line][0]}, {axis}: " + ", ".join(f"{x:g} in {y:.1f} s" for x, y in points)
        for axis in TITLES
        for line, points in points_of(results, axis).items()
    )
    width = WIDTH * len(TITLES)
    machine = results[0]["machine"] if results else ""
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT + 24}" '
        f'width="{width}" height="{HEIGHT + 24}" role="img" '
        'aria-labelledby="growth-title growth-told" '
        'font-family="system-ui, -apple-system, Segoe UI, sans-serif" font-size="12">',
        '<title id="growth-title">Seconds to train, by rows, frozen layers and seeds</title>',
        f'<desc id="growth-told">{escape(told)}.</desc>',
        f'<rect width="{width}" height="{HEIGHT + 24}" rx="8" fill="{PAPER}"/>',
        f'<text x="{LEFT}" y="{HEIGHT + 14}" font-size="11" fill="{SOFT}">3 epochs, batches of 16, '
        f"200 rows judged after each; {escape(machine)}</text>",
    ]
    for place, axis in enumerate(TITLES):
        drawn.append(f'<g transform="translate({place * WIDTH} 0)">')
        drawn += panel(axis, points_of(results, axis))
        drawn.append("</g>")
    return "\n".join([*drawn, "</svg>", ""])


def panel(axis: str, lines: Mapping[tuple[str, str], Sequence[Any]]) -> Iterator[str]:
    """Draw one panel: its legend, grid, lines and labels."""
    every = [point for points in lines.values() for point in points]
    if not every:
        return
    scaled = log10 if axis == ROWS else float
    xs = sorted({x for x, _ in every})
    ticks = seconds_ticks(max(y for _, y in every), min(y for _, y in every), axis == ROWS)
    low, high = scaled(ticks[0]), scaled(ticks[-1])
    first, last = scaled(xs[0]), scaled(xs[-1])

    def across(x: float) -> float:
        return LEFT + 8 + (WIDTH - LEFT - RIGHT - 16) * (scaled(x) - first) / ((last - first) or 1)

    def up(y: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - scaled(y)) / ((high - low) or 1)

    for number, line in enumerate(lines):
        name, colour, dashes = LINES[line]
        x, y = LEFT + 140 * (number % 2), 18 + 18 * (number // 2)
        yield stroke(f"{x},{y - 4} {x + 22},{y - 4}", colour, dashes)
        yield f'<text x="{x + 28}" y="{y}" fill="{INK}">{escape(name)}</text>'
    for tick in ticks:
        yield stroke(f"{LEFT},{up(tick):.1f} {WIDTH - RIGHT},{up(tick):.1f}", RULE, "", 1)
        yield (
            f'<text x="{LEFT - 8}" y="{up(tick) + 4:.1f}" text-anchor="end" fill="{SOFT}">'
            f"{tick:g} s</text>"
        )
    for x in xs:
        yield (
            f'<text x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle" '
            f'fill="{SOFT}">{x:,g}</text>'
        )
    for line, points in lines.items():
        _, colour, dashes = LINES[line]
        placed = [(across(x), up(y)) for x, y in sorted(points)]
        yield stroke(" ".join(f"{x:.1f},{y:.1f}" for x, y in placed), colour, dashes)
        for x, y in placed:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
    yield (
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.1f}" y="{HEIGHT - 8}" text-anchor="middle" '
        f'fill="{SOFT}">{escape(TITLES[axis])}</text>'
    )


def stroke(points: str, colour: str, dashes: str, width: int = 2) -> str:
    """Draw a line through points."""
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    drawn = f'fill="none" stroke="{colour}" stroke-width="{width}"{dashed}'
    return f'<polyline points="{points}" {drawn}/>'


def seconds_ticks(most: float, least: float, logarithmic: bool) -> list[float]:
    """Choose where the axis of seconds has its lines: powers of ten, or four even steps."""
    if logarithmic:
        ticks = [float(10**power) for power in range(-2, 6)]
        inside = [(a, b) for a, b in pairwise(ticks) if b > least and a < most]
        return sorted({tick for pair in inside for tick in pair})
    step = next(s * 10**p for p in range(-1, 5) for s in (1, 2, 5) if 5 * s * 10**p >= most)
    return [step * number for number in range(int(-(-most // step)) + 1)]
