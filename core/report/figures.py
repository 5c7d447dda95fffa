"""A comparison's charts as figures: a report in, a Plotly figure out, for page, report, notebook.

A figure is made of plain values, so that nothing of Plotly is imported to make one.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.measures.scores import Score, main_score
from core.report.drawing import (
    AMBER,
    DASHES,
    ICE,
    INK,
    SOFT,
    SYMBOLS,
    Figure,
    Spec,
    as_typed,
    axis,
    bars,
    layout,
    line,
    percent,
    rounded,
    shares,
    shortened,
    span,
)
from core.report.placing import room, sides_of
from core.strategy.strategies import kind_called
from core.task import kind_named

DURATIONS = {0.01: "0.01 s", 0.03: "0.03 s", 0.1: "0.1 s", 0.3: "0.3 s", 1: "1 s", 3: "3 s"}
DURATIONS |= {10: "10 s", 30: "30 s", 60: "1 min", 180: "3 min", 600: "10 min", 1800: "30 min"}
DURATIONS |= {3600: "1 h", 10800: "3 h", 36000: "10 h", 108000: "30 h"}
"""The ticks of a scale of multiples."""

Document = Mapping[str, Any]


def cost_figure(document: Document, task: str | None = None) -> Figure | None:
    """Draw each strategy's score against the seconds of a run; the cheapest of each score joined.

    Args:
        document: What `core.comparison.report.comparison_document` gave.
        task: Whose score; None is the mean over the tasks.

    Returns:
        None where no strategy has finished a run.
    """
    known = _scored(document, task)
    if not known:
        return None
    what, floor = _what(document, task), _floor(document, task)
    places = [max(each["seconds"], 0.01) for each, _ in known]
    said = [f"{_seconds(each['seconds'])} a run" for each, _ in known]
    frontier = _frontier(places, [score["mean"] for _, score in known])
    across = axis("seconds of a run (log scale)", type="log")
    across["range"] = list(room([math.log10(place) for place in places]))
    across |= {"tickvals": list(DURATIONS), "ticktext": list(DURATIONS.values())}
    drawn = layout(f"Score against time, {as_typed(what)}", across, shares("score"))
    told = "; ".join(
        f"{shortened(each['name'])} {percent(score['mean'])} in {_seconds(each['seconds'])}"
        for each, score in known
    )
    return Figure(
        title=f"Score against time, {what}",
        told=f"{told}." + (f" Counting words: {percent(floor)}." if floor is not None else ""),
        plotly={
            "data": [_joined(known, places, frontier), *_strategies(document, known, places, said)],
            "layout": drawn | (_floor_line(floor) if floor is not None else {}),
        },
        head=("Strategy", "Score, 95 %", "Encoder", "Seconds", "None cheaper is as good"),
        rows=tuple(
            (*_row(each, score), f"{each['seconds']:.1f}", "yes" if k in frontier else "")
            for k, (each, score) in enumerate(known)
        ),
    )


def _frontier(costs: Sequence[float], scores: Sequence[float]) -> list[int]:
    """Pick those that none is both cheaper and better than, the cheapest first."""
    best, found = -math.inf, []
    for k in sorted(range(len(costs)), key=lambda k: (costs[k], -scores[k])):
        if scores[k] > best:
            best = scores[k]
            found.append(k)
    return found


def _joined(
    known: Sequence[tuple[Document, Document]], places: Sequence[float], frontier: Sequence[int]
) -> Spec:
    joined = line("none cheaper is as good", SOFT, "dash") | {"mode": "lines"}
    return joined | {
        "x": [rounded(places[k]) for k in frontier],
        "y": [rounded(known[k][1]["mean"]) for k in frontier],
        "hoverinfo": "skip",
    }


def forgetting_figure(document: Document, task: str | None = None) -> Figure | None:
    """Draw each strategy's score against what its encoder has forgotten.

    Args:
        document: What `core.comparison.report.comparison_document` gave.
        task: Whose score; None is the mean over the tasks.

    Returns:
        None where nobody measured it.
    """
    known = [(each, score) for each, score in _scored(document, task) if each["forgetting"]]
    if not known:
        return None
    what = _what(document, task)
    lost = [each["forgetting"] for each, _ in known]
    said = [f"{each['mean']:.3f} of similarity forgotten" for each in lost]
    data = _strategies(document, known, [each["mean"] for each in lost], said, lost)
    across = axis("forgotten: Spearman lost on the probe", tickformat=".3~f")
    ends = [far[end] for far in lost for end in ("low", "high")]
    across["range"] = [
        min(room([far["mean"] for far in lost])[0], min(ends)),
        max(room([far["mean"] for far in lost])[1], max(ends)),
    ]
    drawn = layout(f"Score against forgetting, {as_typed(what)}", across, shares("score"))
    return Figure(
        title=f"Score against forgetting, {what}",
        told="; ".join(
            f"{shortened(each['name'])} {percent(score['mean'])}, "
            f"forgotten {each['forgetting']['mean']:.3f}"
            for each, score in known
        )
        + ".",
        plotly={"data": data, "layout": drawn},
        head=("Strategy", "Score, 95 %", "Encoder", "Forgotten, 95 %"),
        rows=tuple(
            (*_row(each, score), f"{far['mean']:.3f} ({far['low']:.3f} to {far['high']:.3f})")
            for (each, score), far in zip(known, lost, strict=True)
        ),
    )


def curves_figure(document: Document) -> Figure | None:
    """Draw how each strategy learns: its validation score by epoch, the mean over its runs.

    The bars reach from the lowest run to the highest.

    Args:
        document: What `core.comparison.report.comparison_document` gave.

    Returns:
        None where no run has told its epochs.
    """
    curves: dict[str, dict[float, list[float]]] = {}
    for run in document["runs"]:
        for epoch in run["curves"].get("epochs", ()):
            scores = epoch["scores"].values()
            found = curves.setdefault(run["strategy"], {}).setdefault(epoch["epoch"], [])
            found.append(sum(scores) / len(scores))
    lines = {
        name: [
            (epoch, {"mean": sum(some) / len(some), "low": min(some), "high": max(some)})
            for epoch, some in sorted(by.items())
        ]
        for name, by in curves.items()
    }
    return _by_strategy(
        lines,
        title="How each strategy learns",
        across=axis("epoch", tickformat="d", rangemode="tozero"),
        up=shares("mean on the validation rows"),
        unit="epoch",
    )


def efficiency_figure(document: Document) -> Figure | None:
    """Draw what more rows bring: each strategy's mean by the rows that its runs learn from.

    Args:
        document: What `core.comparison.report.comparison_document` gave.

    Returns:
        None where fewer rows were not tried.
    """
    lines: dict[str, list[tuple[float, Document]]] = {}
    for size in document.get("per_class", ()):
        for each in size["strategies"]:
            if each["mean"] is not None and size["rows"]:
                lines.setdefault(each["name"], []).append((size["rows"], each["mean"]))
    learned = [run["training_rows"] for run in document["runs"]]
    for each in document["strategies"]:
        if each["name"] in lines and each["mean"] is not None:
            lines[each["name"]].append((sum(learned) / len(learned), each["mean"]))
    ticks = [m * 10**power for power in range(8) for m in (1, 2, 5)]
    across = axis("rows a run learns from (log scale)", type="log")
    across |= {"tickvals": ticks, "ticktext": [f"{tick:,}" for tick in ticks]}
    return _by_strategy(
        lines,
        title="What more rows bring",
        across=across,
        up=shares("mean over the tasks"),
        unit="rows",
    )


def _scored(document: Document, task: str | None) -> list[tuple[Document, Document]]:
    """Pair each strategy with its score, `{mean, low, high}`; those without one are left out."""
    scores = (
        each["mean"]
        if task is None
        else each["tasks"].get(task, {}).get(_score(document, task).key)
        for each in document["strategies"]
    )
    pairs = zip(document["strategies"], scores, strict=True)
    return [(each, score) for each, score in pairs if score is not None]


def _score(document: Document, task: str) -> Score:
    return main_score(kind_named(document["tasks"][task]["kind"]), document["score"])


def _what(document: Document, task: str | None) -> str:
    return "mean over the tasks" if task is None else f"{task}, {_score(document, task).title}"


def _floor(document: Document, task: str | None) -> float | None:
    """Give what counting words reaches; None where that was not measured for all."""
    names = list(document["tasks"]) if task is None else [task]
    found = [each for each in map(document["floor"].get, names) if each is not None]
    if not names or len(found) < len(names):
        return None
    return sum(each["lexical"]["mean"] for each in found) / len(found)


def _floor_line(floor: float) -> Spec:
    look = {"color": SOFT, "width": 1.2, "dash": "dot"}
    ends = {"x0": 0, "x1": 1, "y0": rounded(floor), "y1": rounded(floor), "xref": "paper"}
    note = {"text": "floor: counting words", "x": 1, "xref": "paper", "y": rounded(floor)}
    side = {"xanchor": "right", "yanchor": "bottom", "showarrow": False, "font": {"color": SOFT}}
    return {"shapes": [{"type": "line", **ends, "line": look}], "annotations": [{**note, **side}]}


def _row(strategy: Document, score: Document) -> tuple[str, str, str]:
    encoder = "frozen" if is_frozen(strategy["name"]) else "trains"
    return shortened(strategy["name"]), span(score), encoder


def is_frozen(strategy: str) -> bool:
    """Tell whether the encoder stayed as it was, by a strategy's name."""
    kind = kind_called(strategy)
    return kind is not None and not kind.trains_encoder


def _seconds(seconds: float) -> str:
    if seconds >= 90:
        return f"{int(seconds // 60)} min {seconds % 60:.0f} s"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _strategies(
    document: Document,
    known: Sequence[tuple[Document, Document]],
    places: Sequence[float],
    said: Sequence[str],
    spans: Sequence[Document] | None = None,
) -> list[Spec]:
    """Draw strategies as marks with intervals and names: circles are frozen, squares train.

    Args:
        document: The report, which says the advised one: it has a ring.
        known: Each strategy with its score.
        places: Where each lies along the x axis; on a scale of multiples without `spans`.
        said: What pointing at each tells of that.
        spans: The intervals along the x axis, if it has any.
    """
    advised = (document["advice"] or {}).get("strategy")
    named = [shortened(each["name"]) for each, _ in known]
    scaled = [math.log10(place) if spans is None else place for place in places]
    sides = sides_of(named, scaled, [score for _, score in known])
    data = []
    for frozen, colour, symbol in ((True, ICE, "circle"), (False, AMBER, "square")):
        some = [k for k, (each, _) in enumerate(known) if is_frozen(each["name"]) == frozen]
        if some:
            marks = _marks([known[k] for k in some], [places[k] for k in some])
            marks["name"] = f"the encoder {'is frozen' if frozen else 'trains'}"
            marks["marker"] = {"symbol": symbol, "size": 12, "color": colour}
            marks["textposition"] = [sides[k] for k in some]
            marks["hovertext"] = [
                f"<b>{as_typed(known[k][0]['name'])}</b><br>{span(known[k][1])}<br>{said[k]}"
                + ("<br>advised" if known[k][0]["name"] == advised else "")
                for k in some
            ]
            more = {} if spans is None else {"error_x": bars([spans[k] for k in some])}
            data.append(marks | more)
    ringed = [k for k, (each, _) in enumerate(known) if each["name"] == advised]
    return data + [_ring(places[k], known[k][1]["mean"]) for k in ringed]


def _marks(known: Sequence[tuple[Document, Document]], places: Sequence[float]) -> Spec:
    """Begin the marks of some strategies; one that is selected is larger."""
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": [rounded(place) for place in places],
        "y": [rounded(score["mean"]) for _, score in known],
        "error_y": bars([score for _, score in known]),
        "text": [as_typed(each["name"]) for each, _ in known],
        "textfont": {"color": INK},
        "cliponaxis": False,
        "selected": {"marker": {"size": 18}},
        "unselected": {"marker": {"opacity": 1}, "textfont": {"color": INK}},
        "customdata": [each["name"] for each, _ in known],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _ring(x: float, y: float) -> Spec:
    ring = {"symbol": "circle-open", "size": 24, "color": INK, "line": {"width": 1.6}}
    place = {"x": [rounded(x)], "y": [rounded(y)]}
    look = {"type": "scatter", "mode": "markers", "marker": ring, "hoverinfo": "skip"}
    return {"name": "advised", **place, **look}


def _by_strategy(
    named: Mapping[str, Sequence[tuple[float, Document]]],
    *,
    title: str,
    across: Spec,
    up: Spec,
    unit: str,
) -> Figure | None:
    """Draw a line a strategy through its figures, `(x, {mean, low, high})`, with their bars."""
    data, rows, told = [], [], []
    for place, (name, points) in enumerate(named.items()):
        colour = ICE if is_frozen(name) else AMBER
        found = [score for _, score in points]
        drawn = line(as_typed(name), colour, DASHES[place % len(DASHES)])
        drawn |= {
            "mode": "lines+markers",
            "x": [rounded(at) for at, _ in points],
            "y": [rounded(score["mean"]) for score in found],
            "error_y": bars(found) | {"color": colour, "thickness": 0.8},
            "marker": {"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 7},
            "hovertext": [f"<b>{as_typed(name)}</b><br>{span(score)}" for score in found],
            "hovertemplate": f"%{{hovertext}}<br>{unit} %{{x}}<extra></extra>",
        }
        data.append(drawn)
        rows += [(shortened(name), f"{at:,.0f}", span(score)) for at, score in points]
        (first, low), (last, high) = points[0], points[-1]
        told.append(
            f"{shortened(name)} {percent(low['mean'])} at {unit} {first:,.0f} and "
            f"{percent(high['mean'])} at {last:,.0f}"
        )
    if not data:
        return None
    return Figure(
        title=title,
        told="; ".join(told) + ".",
        plotly={"data": data, "layout": layout(title, across, up)},
        head=("Strategy", unit.capitalize(), "Score, lowest to highest"),
        rows=tuple(rows),
    )
