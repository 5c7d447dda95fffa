"""Pictures of the tour notebook: SVG by hand, a few kB each, which no network is needed to see."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape, unescape

from core.report.drawing import AMBER, ICE, INK, LINE, PAPER, SOFT, Figure, Spec
from core.sentences import clean

UNUSED = "#c3ccd4"

COLOURS = ("#2a7ab0", "#c77700", "#1c7a4b", "#8a4fa3", "#b3372f", "#5b6670")
MOST_CHARACTERS = 44
_DASHES = {
    "dash": ' stroke-dasharray="7 4"',
    "dot": ' stroke-dasharray="2 3"',
    "dashdot": ' stroke-dasharray="7 3 2 3"',
}
_CELL, _BLOCK, _WIDTH, _HEIGHT, _MARGIN = 46, 112, 660, 300, 46


@dataclass(frozen=True)
class Picture:
    """A picture that a notebook shows where it ends a cell.

    Attributes:
        svg: The whole picture; a core function that draws gives such a text.
    """

    svg: str = field(repr=False)

    def _repr_svg_(self) -> str:
        return self.svg


def heatmap(
    rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[float]]
) -> Picture:
    """Draw a table of numbers, the larger the bluer, the more below zero the more amber.

    Args:
        rows: What stands before each row.
        columns: What stands over each column.
        cells: The numbers, (rows, columns).

    Raises:
        ValueError: If the numbers are not as many as the rows and columns.
    """
    if len(cells) != len(rows) or any(len(row) != len(columns) for row in cells):
        raise ValueError(
            f"there are {len(rows)} rows and {len(columns)} columns, and cells of another shape: "
            "give one number for each row and column"
        )
    left = 20 + 7 * max((min(len(clean(name)), MOST_CHARACTERS) for name in rows), default=0)
    longest = max((min(len(clean(name)), MOST_CHARACTERS) for name in columns), default=0)
    wide = max(_CELL, 7 * longest + 6)
    strongest = max((abs(value) for row in cells for value in row), default=1.0) or 1.0
    lines = [
        _text(left + wide * (place + 0.5), 20, name, "middle", SOFT)
        for place, name in enumerate(columns)
    ]
    for down, (name, row) in enumerate(zip(rows, cells, strict=True)):
        top = 30 + 30 * down
        lines.append(_text(left - 8, top + 19, name, "end", INK))
        for across, value in enumerate(row):
            share = abs(value) / strongest
            x = left + wide * across
            lines.append(
                f'<rect x="{x}" y="{top}" width="{wide - 2}" height="28" rx="3" '
                f'fill="{ICE if value >= 0 else AMBER}" fill-opacity="{0.85 * share:.2f}"/>'
            )
            ink = PAPER if share > 0.6 else INK
            lines.append(_text(x + wide / 2 - 1, top + 19, f"{value:.2f}", "middle", ink))
    return _picture(left + wide * len(columns) + 8, 38 + 30 * len(rows), lines)


def strips(plans: Mapping[str, Sequence[tuple[str, str]]]) -> Picture:
    """Draw strategies as strips: a block for each part, coloured by its state.

    Args:
        plans: By strategy's name, its parts from the embeddings up: each a short name and one of
            `frozen`, `trains`, `partly` and `unused`, as `core.training.plan.part_state` gives it.
    """
    colours = {"frozen": ICE, "trains": AMBER, "partly": AMBER, "unused": UNUSED}
    left = 20 + 8 * max((min(len(name), MOST_CHARACTERS) for name in plans), default=0)
    lines = []
    for down, (name, parts) in enumerate(plans.items()):
        top = 8 + 40 * down
        lines.append(_text(left - 8, top + 20, name, "end", INK))
        for place, (part, state) in enumerate(parts):
            x = left + _BLOCK * place
            faint = ' fill-opacity="0.6"' if state == "partly" else ""
            lines.append(
                f'<rect x="{x}" y="{top}" width="{_BLOCK - 4}" height="30" rx="4" '
                f'fill="{colours[state]}"{faint}/>'
            )
            lines.append(
                _text(
                    x + _BLOCK / 2 - 2,
                    top + 20,
                    part,
                    "middle",
                    INK if state == "unused" else PAPER,
                )
            )
    widest = max((len(parts) for parts in plans.values()), default=0)
    lines += _legend([("frozen", ICE), ("trains", AMBER), ("not used", UNUSED)], 40 * len(plans))
    return _picture(max(left + _BLOCK * widest + 8, 420), 40 * len(plans) + 30, lines)


def chart(figure: Figure) -> Picture:
    """Draw a figure of lines and marks without Plotly, which a notebook's file has no room for.

    Args:
        figure: One of `core.report.figures` or `run_figures`, but no confusion.

    Raises:
        ValueError: If it has no point.
    """
    data, look = figure.plotly["data"], figure.plotly["layout"]
    log = look["xaxis"].get("type") == "log"
    lines = [(trace, _points_of(trace, log=log)) for trace in data]
    every = [point for trace, points in lines for point in [*points, *_ends_of(trace, points)]]
    floors = [shape["y0"] for shape in look.get("shapes", ())]
    wide = look["xaxis"].get("range", []) if every else []
    edges = [(at, every[0][1]) for at in wide] + [(every[0][0], floor) for floor in floors]
    x, y = _axes([*every, *edges])
    drawn = [*_grid(look, x, y)]
    for trace, points in lines:
        drawn += _trace(trace, [(x(a), y(b)) for a, b in points], y)
    for floor, note in zip(floors, look.get("annotations", ()), strict=True):
        ends = f'x1="{_MARGIN}" x2="{_WIDTH - 20}" y1="{y(floor):.1f}" y2="{y(floor):.1f}"'
        drawn.append(f'<line {ends} stroke="{SOFT}" stroke-dasharray="2 3"/>')
        drawn.append(_written(_WIDTH - 20, y(floor) - 4, note["text"], "end", SOFT))
    legend, rows = _names([trace for trace in data if trace.get("showlegend", True)])
    return _picture(_WIDTH, _HEIGHT + 6 + 20 * rows, [*drawn, *legend])


def _points_of(trace: Spec, *, log: bool) -> list[tuple[float, float]]:
    xs = [math.log10(a) if log else a for a in trace["x"]]
    return [*zip(xs, trace["y"], strict=True)]


def _ends_of(trace: Spec, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """List where the intervals of a trace end, above and below each point."""
    bars = trace.get("error_y")
    if bars is None:
        return []
    ends = zip(points, bars["array"], bars["arrayminus"], strict=True)
    return [(x, y + by) for (x, y), above, below in ends for by in (above, -below)]


def _trace(trace: Spec, points: Sequence[tuple[float, float]], y: "_Scale") -> Iterator[str]:
    """Draw a line, its marks, their intervals and names; points are places on paper."""
    line, mark, bars = (trace.get(key, {}) for key in ("line", "marker", "error_y"))
    colour = mark.get("color") or line.get("color")
    if "lines" in trace["mode"] and len(points) > 1:
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        dash = _DASHES.get(line["dash"], "")
        thin = f'stroke-width="{line["width"]}" stroke-opacity="{trace.get("opacity", 1)}"'
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" {thin}{dash}/>'
    tall = abs(y(1) - y(0))  # pixels of one
    for k, (a, b) in enumerate(points if "markers" in trace["mode"] else ()):
        if bars:
            above, below = b - tall * bars["array"][k], b + tall * bars["arrayminus"][k]
            ends = f'x1="{a:.1f}" x2="{a:.1f}" y1="{above:.1f}" y2="{below:.1f}"'
            yield f'<line {ends} stroke="{colour}" stroke-opacity="0.6"/>'
        yield _mark(mark["symbol"], a, b, colour)
        if "text" in trace:
            end = "end" if "left" in trace["textposition"][k] else "start"
            lift = -7 if "top" in trace["textposition"][k] else 16
            yield _written(a + (-8 if end == "end" else 8), b + lift, trace["text"][k], end, INK)


def _mark(symbol: str, x: float, y: float, colour: str) -> str:
    """Draw a mark: a ring, a square, or a circle, which has all others' place too."""
    if symbol == "circle-open":
        place = f'cx="{x:.1f}" cy="{y:.1f}" r="10"'
        return f'<circle {place} fill="none" stroke="{colour}" stroke-width="1.6"/>'
    if symbol == "square":
        place = f'x="{x - 5:.1f}" y="{y - 5:.1f}"'
        return f'<rect {place} width="10" height="10" fill="{colour}"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>'


def _names(traces: Sequence[Spec]) -> tuple[list[str], int]:
    """Lay out a legend, in as many rows as it takes."""
    drawn, left, row = [], 20.0, 0
    for trace in traces:
        wide = 44 + 7 * len(unescape(trace["name"]))
        if left > 20 and left + wide > _WIDTH:
            left, row = 20.0, row + 1
        top = _HEIGHT + 12 + 20 * row
        line, mark = trace.get("line"), trace.get("marker", {})
        if line is not None:
            if "markers" in trace["mode"]:
                drawn.append(_mark(mark["symbol"], left + 11, top, line["color"]))
            ends = f'x1="{left}" x2="{left + 22}" y1="{top}" y2="{top}"'
            dash = _DASHES.get(line["dash"], "")
            drawn.append(f'<line {ends} stroke="{line["color"]}" stroke-width="2"{dash}/>')
        elif mark:
            drawn.append(_mark(mark["symbol"], left + 11, top, mark["color"]))
        drawn.append(_written(left + 28, top + 4, trace["name"], "start", INK))
        left += wide
    return drawn, row + 1


def map_picture(
    places: Sequence[Sequence[float]],
    labels: Sequence[str],
    frame: Sequence[Sequence[float]] | None = None,
) -> Picture:
    """Draw points on a map, a colour for each label; what an axis counts means nothing there.

    Args:
        places: Where each point lies, (points, 2).
        labels: Each point's label.
        frame: Places that the picture has room for, so that two maps have one frame; None is
            those that are drawn.
    """
    room = places if frame is None else frame
    x, y = _axes([(float(place[0]), float(place[1])) for place in room])
    names = sorted(set(labels))
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    dots = [
        f'<circle cx="{x(place[0]):.1f}" cy="{y(place[1]):.1f}" r="4" '
        f'fill="{colours[label]}" fill-opacity="0.75"/>'
        for place, label in zip(places, labels, strict=True)
    ]
    return _picture(_WIDTH, _HEIGHT + 26, [*dots, *_legend([*colours.items()], _HEIGHT)])


@dataclass(frozen=True)
class _Scale:
    """From numbers to places on paper."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, number: float) -> float:
        share = (number - self.low) / ((self.high - self.low) or 1.0)
        return self.start + (self.end - self.start) * share


def _axes(points: Sequence[tuple[float, float]]) -> tuple[_Scale, _Scale]:
    if not points:
        raise ValueError("there is no point to draw: give at least one")
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    return (
        _Scale(min(xs), max(xs), _MARGIN, _WIDTH - 20),
        _Scale(min(ys), max(ys), _HEIGHT - _MARGIN, 22),
    )


def _grid(look: Spec, x: _Scale, y: _Scale) -> Iterator[str]:
    """Draw four lines with their numbers, the numbers along the x axis, and what both count."""
    form = "{:.0%}" if "%" in look["yaxis"].get("tickformat", "") else "{:.2f}"
    for part in range(4):
        value = y.low + (y.high - y.low) * part / 3
        at = y(value)
        ends = f'x1="{_MARGIN}" x2="{_WIDTH - 20}" y1="{at:.1f}" y2="{at:.1f}"'
        yield f'<line {ends} stroke="{LINE}"/>'
        yield _text(_MARGIN - 8, at + 4, form.format(value), "end", SOFT)
    across = look["xaxis"]
    named = zip(across.get("tickvals", ()), across.get("ticktext", ()), strict=True)
    ticks = [(math.log10(value), text) for value, text in named]
    for value, text in ticks or [(end, f"{end:g}") for end in sorted({x.low, x.high})]:
        if x.low <= value <= x.high:
            yield _text(x(value), _HEIGHT - 26, text, "middle", SOFT)
    yield _text(_WIDTH / 2, _HEIGHT - 8, across["title"]["text"], "middle", SOFT)
    yield _text(_MARGIN, 10, look["yaxis"]["title"]["text"], "start", SOFT)


def _written(x: float, y: float, text: str, anchor: str, colour: str) -> str:
    """Write a text of a figure, which is escaped already."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}">{text}</text>'


def _legend(names: Sequence[tuple[str, str]], top: float) -> Iterator[str]:
    x = 20.0
    for name, colour in names:
        yield f'<circle cx="{x}" cy="{top + 14}" r="5" fill="{colour}"/>'
        yield _text(x + 10, top + 18, name, "start", INK)
        x += 36 + 7 * min(len(clean(name)), MOST_CHARACTERS)


def _text(x: float, y: float, text: str, anchor: str, colour: str) -> str:
    shown = clean(text)
    if len(shown) > MOST_CHARACTERS:
        shown = f"{shown[: MOST_CHARACTERS - 1]}…"
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(shown)}</text>"
    )


def _picture(width: float, height: float, lines: Sequence[str]) -> Picture:
    frame = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-family="system-ui, sans-serif" '
        f'font-size="12"><rect width="{width:.0f}" height="{height:.0f}" fill="{PAPER}"/>'
    )
    return Picture("\n".join([frame, *lines, "</svg>"]))
