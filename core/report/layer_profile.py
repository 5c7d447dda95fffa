"""A layer profile as a picture for files that are read without Thaw: SVG by hand."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from core.knowledge.layer_profile import LayerProfile, LayerScore, best_in_words
from core.measures.metrics import Interval
from core.report.drawing import ICE, INK, LINE, NAME_CHARACTERS, PAPER, SOFT
from core.sentences import clean

PANEL_WIDTH, PANEL_HEIGHT = 300, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 16, 46, 44


def layer_profile_svg(profile: LayerProfile) -> str:
    """Draw the score of every layer for every task, with its interval, the best layer marked.

    Args:
        profile: What `core.knowledge.layer_profile.layer_profile` found.

    Returns:
        An SVG of its own, one panel a task, with a title and a description in words.

    Raises:
        ValueError: If the profile has no task.
    """
    if not profile.tasks:
        raise ValueError("the profile has no task: there is nothing to draw")
    told = ". ".join(best_in_words(_name(name), s) for name, s in profile.tasks.items())
    width = PANEL_WIDTH * len(profile.tasks)
    names = ", ".join(_name(name) for name in profile.tasks)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {PANEL_HEIGHT}" '
        f'width="{width}" height="{PANEL_HEIGHT}" role="img" '
        'aria-labelledby="profile-title profile-told" '
        'font-family="system-ui, -apple-system, Segoe UI, sans-serif" font-size="12">',
        f'<title id="profile-title">What can be read off each layer: {escape(names)}</title>',
        f'<desc id="profile-told">{escape(told)}.</desc>',
        f'<rect width="{width}" height="{PANEL_HEIGHT}" rx="8" fill="{PAPER}"/>',
    ]
    for place, (name, scores) in enumerate(profile.tasks.items()):
        lines.append(f'<g transform="translate({place * PANEL_WIDTH} 0)">')
        lines += _panel(_name(name), scores)
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def _panel(name: str, scores: Sequence[LayerScore]) -> Iterator[str]:
    """Draw one task: axes, the line through the scores, whiskers, and the best layer's figure."""
    told = [score.told for score in scores]
    low, high = _range(told)
    best = max(scores, key=lambda score: (score.main, -score.layer)).layer
    last = max(1, len(scores) - 1)

    def x(layer: int) -> float:
        return _LEFT + 8 + (PANEL_WIDTH - _LEFT - _RIGHT - 16) * layer / last

    def y(score: float) -> float:
        return _TOP + (PANEL_HEIGHT - _TOP - _BOTTOM) * (high - score) / (high - low)

    yield f'<text x="{_LEFT}" y="24" font-size="14" font-weight="600" fill="{INK}">'
    yield f"{escape(name)}</text>"
    for tenth in range(round(low * 10), round(high * 10) + 1):
        height = y(tenth / 10)
        yield (
            f'<line x1="{_LEFT}" x2="{PANEL_WIDTH - _RIGHT}" y1="{height:.1f}" y2="{height:.1f}" '
            f'stroke="{LINE}"/>'
            f'<text x="{_LEFT - 8}" y="{height + 4:.1f}" text-anchor="end" fill="{SOFT}">'
            f"{tenth / 10:.1f}</text>"
        )
    points = " ".join(
        f"{x(s.layer):.1f},{y(t.mean):.1f}" for s, t in zip(scores, told, strict=True)
    )
    yield f'<polyline points="{points}" fill="none" stroke="{ICE}" stroke-width="2"/>'
    for score, found in zip(scores, told, strict=True):
        yield from _point(score.layer == best, x(score.layer), y, found)
        yield (
            f'<text x="{x(score.layer):.1f}" y="{PANEL_HEIGHT - 24}" text-anchor="middle" '
            f'fill="{SOFT}">{score.layer}</text>'
        )
    middle = (_LEFT + PANEL_WIDTH - _RIGHT) / 2
    yield (
        f'<text x="{middle:.1f}" y="{PANEL_HEIGHT - 7}" text-anchor="middle" fill="{SOFT}">'
        f"layer read (0 is the embeddings), {scores[0].score.title}</text>"
    )


def _point(best: bool, x: float, y: Any, found: Interval) -> Iterator[str]:  # noqa: ANN401
    whisker = f'stroke="{ICE}" stroke-opacity="0.6"'
    top, bottom, middle = y(found.high), y(found.low), y(found.mean)
    yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}" {whisker}/>'
    for end in (top, bottom):
        yield f'<line x1="{x - 3:.1f}" x2="{x + 3:.1f}" y1="{end:.1f}" y2="{end:.1f}" {whisker}/>'
    if not best:
        yield (
            f'<circle cx="{x:.1f}" cy="{middle:.1f}" r="3.5" fill="{PAPER}" stroke="{ICE}" '
            'stroke-width="2"/>'
        )
        return
    edge = "end" if x > PANEL_WIDTH - 60 else "start" if x < _LEFT + 40 else "middle"
    yield f'<circle cx="{x:.1f}" cy="{middle:.1f}" r="5.5" fill="{ICE}"/>'
    yield (
        f'<text x="{x:.1f}" y="{top - 6:.1f}" text-anchor="{edge}" font-weight="600" '
        f'fill="{INK}">best {found.mean:.2f}</text>'
    )


def _range(told: Sequence[Interval]) -> tuple[float, float]:
    """Choose where the axis begins and ends: whole tenths around all intervals, at least three."""
    low = max(0, int(min(found.low for found in told) * 10))
    high = min(10, -int(-max(found.high for found in told) * 10 // 1))
    high = max(high, min(10, low + 3))
    return min(low, high - 3) / 10, high / 10


def _name(name: str) -> str:
    shown = clean(name)
    return shown if len(shown) <= NAME_CHARACTERS else f"{shown[: NAME_CHARACTERS - 1]}…"
