"""Pictures of a comparison for files read without Thaw: SVG by hand, light and harmless."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from core.report.drawing import ICE, INK, LINE, PAPER, SOFT
from core.report.figures import is_frozen
from core.sentences import clean

AMBER = "#b26a00"
"""What trains, beside the ice of what is frozen."""

WIDTH, HEIGHT = 720, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 30, 26, 50
_NAME_CHARACTERS = 32
_DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 4", "10 4")


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """One direction of a picture: from numbers to places on paper."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    whole: bool = False

    def place(self, number: float) -> float:
        low, high, number = (
            (math.log10(each) if self.log else each) for each in (self.low, self.high, number)
        )
        return self.start + (self.end - self.start) * (number - low) / ((high - low) or 1.0)

    def ticks(self) -> list[float]:
        """Choose round numbers: powers of ten and their halves, or even steps."""
        if self.log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            every = [m * 10.0**power for power in powers for m in (1, 2, 5)]
            return [each for each in every if self.low <= each <= self.high]
        size = 10 ** math.floor(math.log10((self.high - self.low) or 1.0))
        step = next(
            s for s in (size / 5, size / 2, size, 2 * size) if (self.high - self.low) / s <= 7
        )
        step = max(1.0, step) if self.whole else step
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, int(self.high / step + 1e-9) + 1)]


def cost_picture(document: Mapping[str, Any]) -> str:
    """Draw each strategy's mean against its seconds, the frontier marked, the floor as a line."""
    points = [
        _Point(
            name=each["name"],
            x=max(each["seconds"], 1e-3),
            y=each["mean"]["mean"],
            low=each["mean"]["low"],
            high=each["mean"]["high"],
            frozen=is_frozen(each["name"]),
        )
        for each in document["strategies"]
        if each["mean"] is not None
    ]
    floors = [each["lexical"]["mean"] for each in document["floor"].values() if each is not None]
    floor = sum(floors) / len(floors) if floors and len(floors) == len(document["tasks"]) else None
    told = "; ".join(f"{p.name} {p.y:.3f} in {p.x:.1f} seconds" for p in points)
    return _scatter(
        points,
        title="What each strategy reaches, against what it costs",
        told=told,
        across="seconds of a run, on a scale of multiples",
        log=True,
        floor=floor,
    )


def forgetting_picture(document: Mapping[str, Any]) -> str:
    """Draw each strategy's mean against what it has forgotten; empty where nobody measured it."""
    points = [
        _Point(
            name=each["name"],
            x=each["forgetting"]["mean"],
            y=each["mean"]["mean"],
            low=each["mean"]["low"],
            high=each["mean"]["high"],
            frozen=is_frozen(each["name"]),
        )
        for each in document["strategies"]
        if each["mean"] is not None and each["forgetting"] is not None
    ]
    if len(points) < 2:
        return ""
    told = "; ".join(f"{p.name} {p.y:.3f}, forgotten {p.x:.4f}" for p in points)
    return _scatter(
        points,
        title="What each strategy reaches, against what it forgets",
        told=told,
        across="Spearman lost on the probe, pretrained less tuned",
        log=False,
        floor=None,
    )


@dataclass(frozen=True, kw_only=True)
class _Point:
    name: str
    x: float
    y: float
    low: float
    high: float
    frozen: bool


def _scatter(
    points: Sequence[_Point],
    *,
    title: str,
    told: str,
    across: str,
    log: bool,
    floor: float | None,
) -> str:
    if not points:
        return ""
    xs = [p.x for p in points]
    ys = [*(p.low for p in points), *(p.high for p in points), *([] if floor is None else [floor])]
    wide = (max(xs) - min(xs)) * 0.08 or 0.01
    x = _Axis(
        low=min(xs) / 1.4 if log else min(xs) - wide,
        high=max(xs) * 2.2 if log else max(xs) + 3 * wide,
        start=_LEFT,
        end=WIDTH - _RIGHT,
        log=log,
    )
    y = _Axis(low=min(ys) - 0.02, high=max(ys) + 0.02, start=HEIGHT - _BOTTOM, end=_TOP)
    lines = [*_frame(x, y, across, "mean over the tasks", log)]
    if floor is not None:
        at = y.place(floor)
        lines.append(
            f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}" '
            f'stroke="{SOFT}" stroke-dasharray="5 4"/>'
        )
        lines.append(_label(WIDTH - _RIGHT, at - 5, "the floor: counting words", "end", SOFT))
    lines += _points(points, x.place, y.place)
    return _picture(title, told, lines)


def _points(
    points: Sequence[_Point], x: Callable[[float], float], y: Callable[[float], float]
) -> Iterator[str]:
    """Draw points with whiskers and names; those that nothing beats on both counts are filled."""
    best = -math.inf
    frontier = set()
    for point in sorted(points, key=lambda p: (p.x, -p.y)):
        if point.y > best:
            frontier.add(point.name)
            best = point.y
    above: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda p: -p.y):
        colour = ICE if point.frozen else AMBER
        at, middle = x(point.x), y(point.y)
        yield (
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y(point.high):.1f}" '
            f'y2="{y(point.low):.1f}" stroke="{colour}" stroke-opacity="0.5"/>'
        )
        inside = colour if point.name in frontier else PAPER
        yield (
            f'<circle cx="{at:.1f}" cy="{middle:.1f}" r="5" fill="{inside}" stroke="{colour}" '
            'stroke-width="2"/>'
        )
        height = middle + 4
        while any(abs(height - h) < 14 and abs(at - a) < 170 for a, h in above):
            height += 5  # names do not lie on each other
        above.append((at, height))
        late = at > WIDTH - _RIGHT - 150
        yield _label(at + (-9 if late else 9), height, point.name, "end" if late else "start", INK)


def curves_picture(document: Mapping[str, Any]) -> str:
    """Draw each strategy's score on its validation rows by epoch, the mean over its runs."""
    curves: dict[str, dict[int, list[float]]] = {}
    for run in document["runs"]:
        for epoch in run["curves"].get("epochs", ()):
            scores = epoch["scores"].values()
            by = curves.setdefault(run["strategy"], {}).setdefault(epoch["epoch"], [])
            by.append(sum(scores) / len(scores))
    means = {
        name: [(epoch, sum(each) / len(each)) for epoch, each in sorted(by.items())]
        for name, by in curves.items()
    }
    told = "; ".join(f"{name} ends at {line[-1][1]:.3f}" for name, line in means.items())
    return _lines(
        means,
        title="How each strategy learns",
        told=told,
        across="epoch",
        up="mean on the validation rows",
        log=False,
    )


def efficiency_picture(document: Mapping[str, Any]) -> str:
    """Draw each strategy's mean against the rows it learns from; empty where nobody asked."""
    lines: dict[str, list[tuple[float, float]]] = {}
    sizes = document.get("per_class", ())
    for size in sizes:
        for each in size["strategies"]:
            if each["mean"] is not None and size["rows"]:
                lines.setdefault(each["name"], []).append((size["rows"], each["mean"]["mean"]))
    if not lines:
        return ""
    learned = [run["training_rows"] for run in document["runs"]]
    for each in document["strategies"]:
        if each["name"] in lines and each["mean"] is not None:
            lines[each["name"]].append((sum(learned) / len(learned), each["mean"]["mean"]))
    told = "; ".join(
        f"{name} {line[0][1]:.3f} with {line[0][0]:.0f} rows and {line[-1][1]:.3f} with "
        f"{line[-1][0]:.0f}"
        for name, line in lines.items()
    )
    return _lines(
        lines,
        title="What more rows bring",
        told=told,
        across="rows a run learns from, on a scale of multiples",
        up="mean over the tasks",
        log=True,
    )


def _lines(
    named: Mapping[str, Sequence[tuple[float, float]]],
    *,
    title: str,
    told: str,
    across: str,
    up: str,
    log: bool,
) -> str:
    """Draw a line a strategy, ordered along the axis, with their names beside it."""
    if not named:
        return ""
    places = [place for line in named.values() for place, _ in line]
    scores = [score for line in named.values() for _, score in line]
    low = min(places) if log else 1
    high = max(places) * 1.05 if log else max(2, *places)
    x = _Axis(low=low, high=high, start=_LEFT + 8, end=WIDTH - 190, log=log, whole=not log)
    y = _Axis(low=min(scores) - 0.02, high=max(scores) + 0.02, start=HEIGHT - _BOTTOM, end=_TOP)
    lines = [*_frame(x, y, across, up, log)]
    for place, (name, line) in enumerate(named.items()):
        colour = ICE if is_frozen(name) else AMBER
        path = " ".join(f"{x.place(at):.1f},{y.place(score):.1f}" for at, score in line)
        dashes = f'stroke-dasharray="{_DASHES[place % len(_DASHES)]}"'
        height = _TOP + 10 + 18 * place
        lines.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" {dashes}/>'
            f'<line x1="{WIDTH - 180}" x2="{WIDTH - 150}" y1="{height - 4}" y2="{height - 4}" '
            f'stroke="{colour}" stroke-width="2" {dashes}/>'
        )
        lines.append(_label(WIDTH - 144, height, name, "start", INK))
    return _picture(title, told, lines)


def _frame(x: _Axis, y: _Axis, across: str, up: str, log: bool) -> Iterator[str]:
    for tick in y.ticks():
        at = y.place(tick)
        yield (f'<line x1="{_LEFT}" x2="{x.end:.1f}" y1="{at:.1f}" y2="{at:.1f}" stroke="{LINE}"/>')
        yield _label(_LEFT - 8, at + 4, f"{tick:.2f}", "end", SOFT)
    for tick in x.ticks():
        if log or tick == round(tick, 6):
            yield _label(x.place(tick), HEIGHT - _BOTTOM + 18, f"{tick:g}"[:7], "middle", SOFT)
    yield _label((_LEFT + x.end) / 2, HEIGHT - 10, across, "middle", SOFT)
    yield _label(_LEFT, 14, up, "start", SOFT)


def _label(x: float, y: float, text: str, anchor: str, colour: str) -> str:
    shown = clean(text)
    if len(shown) > _NAME_CHARACTERS and colour == INK:
        shown = f"{shown[: _NAME_CHARACTERS - 1]}…"
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(shown)}</text>"
    )


def _picture(title: str, told: str, lines: Sequence[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'width="100%" font-family="system-ui, sans-serif" font-size="12" '
            f'aria-label="{escape(clean(f"{title}: {told}"), quote=True)}">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
            *lines,
            "</svg>",
        ]
    )
