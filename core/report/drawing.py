"""What drawings have in common: the colours, how a chart is laid out, and text as it was typed."""

import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from core.sentences import clean

PALETTE = {  # what it is for: (light, dark)
    "page": ("#f6f9fc", "#0d151d"),
    "surface": ("#ffffff", "#15212c"),
    "line": ("#d9e3ec", "#2a3b4a"),
    "field_line": ("#8296a8", "#5d7488"),
    "text": ("#14212d", "#e8f0f6"),
    "soft": ("#4a6072", "#9fb4c5"),
    "ice": ("#2a7ab0", "#5fb4e8"),
    "ice_fill": ("#d5eaf8", "#173a54"),
    "ice_ink": ("#135a88", "#b9e0f8"),
    "amber": ("#c77700", "#f2a83c"),
    "amber_over": ("#d98a14", "#ffbe62"),
    "amber_ink": ("#1b1100", "#1b1100"),
    "amber_fill": ("#ffe3b8", "#4d3410"),
    "amber_text": ("#7d4a00", "#ffd898"),
    "unused": ("#e9edf1", "#22303c"),
    "quiet": ("#edf2f7", "#1d2b38"),
    "quiet_over": ("#dfe8f1", "#26384a"),
    "bad": ("#b3372f", "#ff8e84"),
    "good": ("#1c7a4b", "#5fd39a"),
    "heat_low": ("#f1f6fa", "#1a2835"),
    "heat_high": ("#4f9dd2", "#286f9f"),  # text keeps a contrast of 4.5 on all between
    "heat_negative": ("#e39a92", "#8a3f3d"),
}
"""Every colour of Thaw, in both themes. A picture is written in the light ones; what shows it in
the dark looks up each colour's twin."""

INK, SOFT, LINE, PAPER = (PALETTE[name][0] for name in ("text", "soft", "line", "surface"))
ICE, AMBER = PALETTE["ice"][0], PALETTE["amber"][0]
"""What is frozen, and what trains."""

SERIES = tuple(PALETTE[name][0] for name in ("ice", "good", "text", "bad", "amber_text"))
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon")
"""Lines and marks that lie in one chart differ in all three."""

NAME_CHARACTERS = 40

FONTS = "Inter, system-ui, -apple-system, Segoe UI, sans-serif"

HEIGHT = 340
"""Pixels of a chart that does not grow with what it shows."""

Spec = dict[str, Any]
"""A part of a Plotly figure, as JSON has it."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A chart, for whatever shows it; `plotly.graph_objects.Figure(figure.plotly)` in a notebook.

    Attributes:
        title: What it shows, as plain text.
        told: The same in a sentence with its numbers, for those who do not see it.
        plotly: Its `data` and `layout`, plain values only, in the colours of the light palette.
        head: What the columns of its table are, plain text.
        rows: The numbers as a table, plain text.
    """

    title: str
    told: str
    plotly: Spec
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def document(self) -> Spec:
        """Give it as JSON has it: `{title, told, plotly, head, rows}`."""
        return {
            "title": self.title,
            "told": self.told,
            "plotly": self.plotly,
            "head": list(self.head),
            "rows": [list(row) for row in self.rows],
        }


def plotly_js_path() -> Path:
    """Say where Plotly's package keeps the script that draws figures, without importing it.

    Raises:
        RuntimeError: If the package is not installed.
    """
    found = importlib.util.find_spec("plotly")
    if found is None or found.origin is None:
        raise RuntimeError("the package plotly is not installed: pip install -r requirements.txt")
    return Path(found.origin).parent / "package_data" / "plotly.min.js"


def figures_js() -> str:
    """Give the script that draws figures in a page that has Plotly's: `thawFigures.draw`."""
    script = Path(__file__).with_name("figures.js").read_text(encoding="utf-8")
    return f"{script}window.thawFigures.colours({json.dumps(list(PALETTE.values()))});\n"


def shortened(text: object, characters: int = NAME_CHARACTERS) -> str:
    """Cut somebody's text, without control characters, to what a chart has room for."""
    shown = clean(str(text))
    return shown if len(shown) <= characters else f"{shown[: characters - 1]}…"


def as_typed(text: object, characters: int = NAME_CHARACTERS) -> str:
    """Write somebody's text so that Plotly shows it as it was typed.

    Plotly reads some HTML in every text, `%{…}` as a place to fill in, and `$…$` as TeX where a
    notebook has MathJax; it turns a numbered entity back into its sign last.
    """
    shown = escape(shortened(text, characters), quote=False)
    return shown.replace("%", "&#37;").replace("$", "&#36;")


def percent(share: float) -> str:
    """Write a share as people read it."""
    return f"{100 * share:.1f} %"


def span(found: Mapping[str, float]) -> str:
    """Write a share, `{mean, low, high}`, with its 95 % interval."""
    return f"{percent(found['mean'])} ({100 * found['low']:.1f} to {100 * found['high']:.1f})"


def bars(found: Sequence[Mapping[str, float]]) -> Spec:
    """Give the intervals of some figures, `{mean, low, high}` each, as Plotly's error bars."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [rounded(each["high"] - each["mean"]) for each in found],
        "arrayminus": [rounded(each["mean"] - each["low"]) for each in found],
        "thickness": 1.2,
        "width": 3,
    }


def rounded(number: float) -> float:
    """Drop the digits that nobody can see: a chart travels."""
    return float(f"{number:.5g}")


def line(name: str, colour: str, dash: str = "solid", width: float = 2) -> Spec:
    """Begin a line; its name is no text of people's but `as_typed`."""
    look = {"color": colour, "width": width, "dash": dash}
    return {"name": name, "type": "scatter", "mode": "lines+markers", "line": look}


def axis(title: str, **more: Any) -> Spec:  # noqa: ANN401 (Plotly's own attributes)
    """Lay out an axis.

    Args:
        title: What it counts, with the unit; no text of people's.
        more: Plotly's attributes of an axis.
    """
    return {
        "title": {"text": title, "standoff": 8},
        "gridcolor": LINE,
        "linecolor": LINE,
        "zeroline": False,
        "automargin": True,
        "tickfont": {"color": SOFT},
        **more,
    }


def shares(title: str, **more: Any) -> Spec:  # noqa: ANN401 (Plotly's own attributes)
    """Lay out an axis of shares, told in percent."""
    return axis(title, tickformat=".1~%", **more)


def layout(title: str, across: Spec, up: Spec, **more: Any) -> Spec:  # noqa: ANN401 (the same)
    """Lay out a chart.

    Args:
        title: What it shows; no text of people's but `as_typed`.
        across: The x axis.
        up: The y axis.
        more: Plotly's attributes of a layout.
    """
    return {
        "title": {"text": title, "x": 0, "xanchor": "left", "pad": {"l": 8}, "font": {"size": 14}},
        "xaxis": across,
        "yaxis": up,
        "font": {"family": FONTS, "size": 12, "color": INK},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "height": HEIGHT,
        "margin": {"l": 56, "r": 16, "t": 44, "b": 44},
        "legend": {"orientation": "h", "x": 0, "y": -0.22, "yanchor": "top"},
        "hoverlabel": {
            "bgcolor": PAPER,
            "bordercolor": SOFT,
            "font": {"family": FONTS, "color": INK},
            "namelength": -1,
            "align": "left",
        },
        "hovermode": "closest",
        "dragmode": "zoom",
        "uirevision": "kept",
        **more,
    }
