"""Charts of a run, of a model and of an encoder as figures: how they learn, and where they err."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from core.measures.metrics import wilson_interval
from core.measures.scores import score_in
from core.report.drawing import (
    AMBER,
    DASHES,
    ICE,
    INK,
    PALETTE,
    SERIES,
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

if TYPE_CHECKING:  # torch is behind it, and a page is on screen before torch
    from core.knowledge.layer_profile import LayerProfile, LayerScore

LABEL_CHARACTERS = 18
"""A confusion's labels stand at both sides of it."""

MOST_COUNTS_WRITTEN = 24
"""With more labels the numbers in a confusion would not be read: they are told on pointing."""

ROW_PIXELS = 28

Points = Sequence[tuple[float, Mapping[str, float]]]
"""Where, in steps or epochs, and what was measured there of each task."""

_Shown = tuple[str, Sequence[tuple[float, float]], Callable[[float], str]]
"""A line's name as plain text, its points, and how its values are written."""


def loss_figure(
    tasks: Sequence[str],
    training: Points = (),
    validation: Points = (),
    *,
    end: float | None = None,
) -> Figure:
    """Draw the loss of each task by step: thin on the training rows, with marks on validation.

    Args:
        tasks: Their names; two traces each, in this order: training, then validation.
        training: By step, nats.
        validation: By step, nats; empty draws the training alone.
        end: The last step of a run that is not over: its lines grow, and a last trace, empty,
            marks where somebody changed it (`change_marks`). None is a run that is over.
    """
    data: list[Spec] = []
    shown: list[_Shown] = []
    for place, name in enumerate(tasks):
        for what, points in (("training", training), ("validation", validation)):
            if what == "validation" and not points and end is None:
                continue
            look = _look(f"{as_typed(name)}, {what}", place)
            if what == "training":
                look["line"] |= {"width": 1.2, "dash": "solid"}
                look |= {"mode": "lines", "opacity": 0.6}
            data.append(_with_points(look, _of(points, name), ".3f"))
            shown.append((f"{shortened(name)}, {what}", _of(points, name), "{:.3f}".format))
    up = axis("loss, nats", rangemode="tozero")
    return _learning("Loss while learning", data, shown, up, ("step", end))


def score_figure(
    tasks: Mapping[str, str],
    validation: Points = (),
    *,
    unit: str = "step",
    end: float | None = None,
) -> Figure:
    """Draw the score of each task on the validation rows.

    Args:
        tasks: By name, which score it is; a trace each, in this order.
        validation: By step or epoch, shares.
        unit: `step` or `epoch`.
        end: The last step of a run that is not over, as in `loss_figure`.
    """
    data: list[Spec] = []
    shown: list[_Shown] = []
    for place, (name, metric) in enumerate(tasks.items()):
        points = _of(validation, name)
        data.append(_with_points(_look(f"{as_typed(name)}, {metric}", place), points, ".1%"))
        shown.append((f"{shortened(name)}, {metric}", points, percent))
    up = shares("score", **({} if end is None else {"range": [0, 1.04]}))
    return _learning("Score on the validation rows", data, shown, up, (unit, end))


def change_marks() -> Spec:
    """Begin the trace that marks where a run was changed by hand, from below to the top."""
    return line("changed by hand", AMBER, "dash", 1.5) | {
        "x": [],
        "y": [],
        "yaxis": "y2",
        "marker": {"symbol": "triangle-up", "size": 10},
        "hovertext": [],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "showlegend": False,
    }


def _look(name: str, place: int) -> Spec:
    """Begin the line of one of several; its name is no text of people's but `as_typed`."""
    dash = DASHES[place % len(DASHES)]
    mark = {"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 7}
    return line(name, SERIES[place % len(SERIES)], dash) | {"marker": mark}


def _with_points(trace: Spec, points: Sequence[tuple[float, float]], form: str) -> Spec:
    return trace | {
        "x": [rounded(at) for at, _ in points],
        "y": [rounded(value) for _, value in points],
        "hovertemplate": f"%{{y:{form}}}",
    }


def _learning(
    title: str,
    data: list[Spec],
    shown: Sequence[_Shown],
    up: Spec,
    across: tuple[str, float | None],
) -> Figure:
    """Put lines together that grow from left to right, with a table of a row for each place."""
    unit, end = across
    below = axis(unit, rangemode="tozero", tickformat=",d")
    # Wherever one points the nearest step is told: few steps lie far apart.
    drawn = layout(title, below, up, hovermode="x unified", hoverdistance=2_000)
    if end is not None:
        below["range"] = [0, 1.03 * end]
        drawn["yaxis2"] = {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
        data.append(change_marks())
    table: dict[float, list[str]] = {}
    for column, (_, found, form) in enumerate(shown):
        for at, value in found:
            table.setdefault(at, [""] * len(shown))[column] = form(value)
    ends = "; ".join(f"{name} ends at {form(found[-1][1])}" for name, found, form in shown if found)
    return Figure(
        title=title,
        told=f"{ends}." if ends else f"{title}: nothing yet.",
        plotly={"data": data, "layout": drawn},
        head=(unit.capitalize(), *(name for name, _, _ in shown)),
        rows=tuple((f"{at:g}", *cells) for at, cells in sorted(table.items())),
    )


def _of(points: Points, name: str) -> list[tuple[float, float]]:
    """Take one task's values out of all, where there are any."""
    return [(at, found[name]) for at, found in points if found.get(name) is not None]


def coverage_figure(
    curves: Mapping[str, Sequence[tuple[float, float, float]]], rows: Mapping[str, int]
) -> Figure:
    """Draw how accurate predictions are when those below a confidence are left out.

    Args:
        curves: By task, the points of `core.measures.calibration.coverage_curve`: the least
            confidence kept, the share of rows kept, the share of those that is right.
        rows: By task, how many rows there were.

    Raises:
        ValueError: If a task has points and no rows.
    """
    title = "How often it is right, if those it is less sure of are left out"
    data, table, told = [], [], []
    for place, (name, points) in enumerate(curves.items()):
        found = [_right(share, kept, rows[name]) for _, kept, share in points]
        least = [(at, kept, s) for (at, kept, _), s in zip(points, found, strict=True)]
        data.append(_kept(name, least, place))
        called = shortened(name)
        table += [(called, f"{at:.3f}", percent(kept), span(score)) for at, kept, score in least]
        if points:
            told.append(
                f"{called}: {percent(points[0][2])} of all rows are right, "
                f"{percent(points[-1][2])} of the surest {percent(points[-1][1])}"
            )
    across = shares("rows kept, the surest first", autorange="reversed")
    plotly = {"data": data, "layout": layout(title, across, shares("right among them"))}
    head = ("Task", "Confidence from", "Rows kept", "Right among them, 95 %")
    return Figure(
        title=title, told="; ".join(told) + ".", plotly=plotly, head=head, rows=tuple(table)
    )


def _kept(name: str, points: Sequence[tuple[float, float, Mapping[str, float]]], at: int) -> Spec:
    """Draw a task's line through `(least confidence, share kept, share right)`."""
    look, found = _look(as_typed(name), at), [score for _, _, score in points]
    return look | {
        "x": [rounded(kept) for _, kept, _ in points],
        "y": [rounded(score["mean"]) for score in found],
        "error_y": bars(found) | {"color": look["line"]["color"], "width": 0},
        "hovertext": [
            f"<b>{as_typed(name)}</b><br>{span(score)}<br>of the {percent(kept)} "
            f"with a confidence of {least:.2f} or more"
            for least, kept, score in points
        ],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _right(share: float, kept: float, rows: int) -> dict[str, float]:
    """Give the share of those kept that is right with its interval, `{mean, low, high}`."""
    some = max(1, round(kept * rows))
    return vars(wilson_interval(round(share * some), some)) | {"mean": share}


def confusion_figure(task: str, labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Figure:
    """Draw how often each label was taken for each; a frame marks where both agree.

    Args:
        task: Its name.
        labels: In the order of the counts.
        counts: True label by predicted one, (labels, labels).

    Raises:
        ValueError: If there are not as many counts as labels, each way.
    """
    size = len(labels)
    if len(counts) != size or any(len(row) != size for row in counts):
        raise ValueError(
            f"there are {size} labels and counts of another shape: give a row and a column for each"
        )
    title = f"{task[:1].upper()}{task[1:]}: true label by predicted"
    names = [as_typed(label, LABEL_CHARACTERS) for label in labels]
    ticks = {"tickvals": list(range(size)), "ticktext": names, "showgrid": False}
    drawn = layout(
        as_typed(title, 80),
        axis("predicted", side="top", constrain="domain", **ticks),
        axis("true", autorange="reversed", **ticks),
        shapes=[_frame(k) for k in range(size)],
        height=96 + ROW_PIXELS * size,
        dragmode=False,
    )
    drawn["margin"] = drawn["margin"] | {"b": 12}
    return Figure(
        title=title,
        told=_confused(labels, counts),
        plotly={"data": [_cells(labels, counts)], "layout": drawn},
        head=("True", *(shortened(label) for label in labels)),
        rows=tuple(
            (shortened(label), *map(str, row)) for label, row in zip(labels, counts, strict=True)
        ),
    )


def _frame(k: int) -> Spec:
    place = {"x0": k - 0.5, "x1": k + 0.5, "y0": k - 0.5, "y1": k + 0.5}
    return {"type": "rect", **place, "line": {"color": ICE, "width": 1.5}}


def _cells(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Spec:
    """Draw counts as cells, the darker the more; zero is a dot."""
    full = [as_typed(label) for label in labels]
    written = len(labels) <= MOST_COUNTS_WRITTEN
    return {
        "type": "heatmap",
        "x": list(range(len(labels))),
        "y": list(range(len(labels))),
        "z": [list(row) for row in counts],
        "text": [[str(n or "·") if written else "" for n in row] for row in counts],
        "texttemplate": "%{text}",
        "textfont": {"color": INK},
        "hovertext": [
            [f"is {full[i]}<br>taken for {full[j]}<br>{n} of {sum(row)}" for j, n in enumerate(row)]
            for i, row in enumerate(counts)
        ],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "colorscale": [[0, PALETTE["heat_low"][0]], [1, PALETTE["heat_high"][0]]],
        "zmin": 0,
        "zmax": max([n for row in counts for n in row] + [1]),
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
    }


def _confused(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Say how many are right, and which label is most often taken for which."""
    right, rows = sum(row[k] for k, row in enumerate(counts)), sum(map(sum, counts))
    wrong = [
        (n, i, j) for i, row in enumerate(counts) for j, n in enumerate(row) if i != j and n > 0
    ]
    told = f"{right} of {rows} right"
    if not wrong:
        return f"{told}."
    most, i, j = max(wrong, key=lambda each: each[0])
    times = f"{most} time{'s' * (most != 1)}"
    return (
        f"{told}; most often {shortened(labels[i])} is taken for {shortened(labels[j])}, {times}."
    )


def profile_figure(profile: "LayerProfile") -> Figure:
    """Draw what can be read off each layer: a line a task with its intervals, the best mark large.

    Args:
        profile: What `core.knowledge.layer_profile.layer_profile` found.

    Raises:
        ValueError: If the profile has no task.
    """
    from core.knowledge.layer_profile import best_in_words

    if not profile.tasks:
        raise ValueError("the profile has no task: there is nothing to draw")
    title = "What can be read off each layer"
    across = axis("layer read (0 is the embeddings)", dtick=1)
    drawn = layout(title, across, shares("score"))
    lines = enumerate(profile.tasks.items())
    data = [_layers(name, scores, place) for place, (name, scores) in lines]
    told = ". ".join(best_in_words(shortened(name), s) for name, s in profile.tasks.items())
    return Figure(
        title=title,
        told=f"{told}.",
        plotly={"data": data, "layout": drawn},
        head=("Task", "Layer", "Score, 95 %"),
        rows=tuple(
            (shortened(name), str(each.layer), span(vars(each.scores[score_in(each.scores).key])))
            for name, scores in profile.tasks.items()
            for each in scores
        ),
    )


def _layers(name: str, scores: "Sequence[LayerScore]", place: int) -> Spec:
    """Draw a task's line through its layers, the best mark large."""
    metric = score_in(scores[0].scores)
    found = [vars(score.scores[metric.key]) for score in scores]
    look = _look(f"{as_typed(name)}, {metric.title}", place)
    best = max(scores, key=lambda score: (score.main, -score.layer))
    look["marker"]["size"] = [13 if score is best else 7 for score in scores]
    return look | {
        "x": [score.layer for score in scores],
        "y": [rounded(each["mean"]) for each in found],
        "error_y": bars(found) | {"color": look["line"]["color"]},
        "hovertext": [span(each) for each in found],
        "hovertemplate": "layer %{x}: %{hovertext}<extra>%{fullData.name}</extra>",
    }
