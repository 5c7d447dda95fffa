"""Draw the rooms of Thaw and their arrows from the code's own imports: `python docs/rooms.py`."""

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from core.report.drawing import ICE, INK, LINE, PAPER, SOFT  # noqa: E402 (the path comes first)
from tests.test_boundaries import GROUND, ROOMS, SOURCES, imports_of, module_in  # noqa: E402

PICTURE = ROOT / "docs/figures/rooms.svg"
WIDTH, ROW, NAME_AT, SAID_AT = 980, 34, 270, 392
FAINT = 0.35
"""How strong an arrow is to a room that is reached by way of another one anyway."""


def arrows() -> dict[str, set[str]]:
    """Read which room imports which; doors, which may import anything, are left out."""
    rooms = {room.name for room in ROOMS}
    found: dict[str, set[str]] = {name: set() for name in (*rooms, "core")}
    for module, path in SOURCES.items():
        room = module.rpartition(".")[0]
        if room not in rooms:
            continue
        for name, _, _ in imports_of(ast.parse(path.read_text(encoding="utf-8"))):
            other = module_in(name)
            if other is not None and other.rpartition(".")[0] != room:
                found[room].add(other.rpartition(".")[0])
    return found


def rooms_svg() -> str:
    """Draw `core` and `demo`, the room that is read last at the top: every arrow goes down."""
    found = arrows()
    core = ["core", *(room.name for room in ROOMS if room.name.startswith("core."))]
    demo = [room.name for room in ROOMS if room.name.startswith("demo.")]
    height = ROW * (len(core) + len(demo)) + 118
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-labelledby="rooms-title rooms-told" '
        'font-family="system-ui, -apple-system, Segoe UI, sans-serif" font-size="13">',
        '<title id="rooms-title">The rooms of Thaw, and which imports which</title>',
        f'<desc id="rooms-told">{escape(" ".join(_told(found, [*demo, *core])))}</desc>',
        '<defs><marker id="tip" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="6" '
        f'markerHeight="6" orient="auto"><path d="M0,0L6,3L0,6z" fill="{ICE}"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="{PAPER}"/>',
        *_panel("demo: the page", demo[::-1], found, 44),
        *_panel("core: what computes", core[::-1], found, 44 + ROW * len(demo) + 48),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _panel(
    title: str, names: Sequence[str], found: Mapping[str, set[str]], top: int
) -> Iterator[str]:
    yield f'<text x="16" y="{top - 18}" font-size="15" font-weight="600" fill="{INK}">'
    yield f"{title}</text>"
    middle = {name: top + ROW * place + ROW / 2 for place, name in enumerate(names)}
    for place, name in enumerate(names):
        y = middle[name]
        if place:
            yield f'<line x1="{NAME_AT}" x2="{WIDTH - 16}" y1="{y - ROW / 2}" y2="{y - ROW / 2}" '
            yield f'stroke="{LINE}"/>'
        shown = "(ground)" if name == "core" else name.partition(".")[2]
        yield f'<text x="{NAME_AT}" y="{y + 4}" font-weight="600" fill="{INK}">{shown}</text>'
        yield f'<text x="{SAID_AT}" y="{y + 4}" fill="{SOFT}">{escape(_said(name))}</text>'
    for name in names:
        direct = [other for other in found[name] if other in middle and other != "core"]
        implied = {far for near in direct for far in _reached(near, found)}
        for other in sorted(direct, key=lambda each: middle[each]):
            yield _arrow(middle[name], middle[other], faint=other in implied)


def _arrow(start: float, end: float, *, faint: bool) -> str:
    bend = NAME_AT - 14 - min(240.0, 18 + (end - start) * 0.62)
    path = f"M{NAME_AT - 8},{start} C{bend:.0f},{start} {bend:.0f},{end} {NAME_AT - 8},{end}"
    opacity = f' stroke-opacity="{FAINT}"' if faint else ""
    return f'<path d="{path}" fill="none" stroke="{ICE}"{opacity} marker-end="url(#tip)"/>'


def _reached(name: str, found: Mapping[str, set[str]]) -> set[str]:
    """Find all rooms that a room needs, directly or by way of others."""
    return found[name].union(*(_reached(each, found) for each in found[name]))


def _said(name: str) -> str:
    """Give a room's one sentence; of the ground its modules."""
    if name == "core":
        return f"What all stand on: {', '.join(GROUND.split())}."
    text = (ROOT / name.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(text)) or ""


def _told(found: Mapping[str, set[str]], names: Sequence[str]) -> Iterator[str]:
    for name in names:
        others = [other for other in names if other in found[name] and other != "core"]
        yield f"{name} imports {', '.join(others) or 'no other room'}."


if __name__ == "__main__":
    PICTURE.write_text(rooms_svg(), encoding="utf-8")
