"""Pictures of the tour notebook: SVG by hand, a few kB each, which no network is needed to see."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from core.report.drawing import ICE, INK, LINE, PAPER, SOFT
from core.sentences import clean

AMBER, UNUSED = "#c77700", "#c3ccd4"
"""What trains and what is not used, as on the page."""

COLOURS = ("#2a7ab0", "#c77700", "#1c7a4b", "#8a4fa3", "#b3372f", "#5b6670")
MOST_CHARACTERS = 44
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


def curves(lines_by_name: Mapping[str, Sequence[tuple[float, float]]], across: str) -> Picture:
    """Draw lines in one frame.

    Args:
        lines_by_name: By name, points of (x, y), from left to right.
        across: What the x axis counts.
    """
    every = [point for line in lines_by_name.values() for point in line]
    x, y = _axes(every)
    drawn = [*_grid(every, x, y, across)]
    for place, line in enumerate(lines_by_name.values()):
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in line)
        colour = COLOURS[place % len(COLOURS)]
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
    names = [(name, COLOURS[i % len(COLOURS)]) for i, name in enumerate(lines_by_name)]
    return _picture(_WIDTH, _HEIGHT + 26, [*drawn, *_legend(names, _HEIGHT)])


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
        _Scale(min(ys), max(ys), _HEIGHT - _MARGIN, 14),
    )


def _grid(
    points: Sequence[tuple[float, float]], x: _Scale, y: _Scale, across: str
) -> Iterator[str]:
    """Draw four lines with their numbers, the ends of the x axis, and what it counts."""
    for part in range(4):
        value = y.low + (y.high - y.low) * part / 3
        at = y(value)
        ends = f'x1="{_MARGIN}" x2="{_WIDTH - 20}" y1="{at:.1f}" y2="{at:.1f}"'
        yield f'<line {ends} stroke="{LINE}"/>'
        yield _text(_MARGIN - 8, at + 4, f"{value:.2f}", "end", SOFT)
    for value in sorted({point[0] for point in points} & {x.low, x.high}):
        yield _text(x(value), _HEIGHT - 26, f"{value:g}", "middle", SOFT)
    yield _text(_WIDTH / 2, _HEIGHT - 26, across, "middle", SOFT)


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
