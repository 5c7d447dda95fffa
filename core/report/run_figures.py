"""Charts of a run, of a model and of an encoder as figures: how they learn, and where they err."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from core.measures.metrics import wilson_interval
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
    from core.knowledge.layer_profile import LayerProfile

LABEL_CHARACTERS = 18
"""A confusion's labels stand at both sides of it."""

MOST_COUNTS_WRITTEN = 24
"""With more labels the numbers in a confusion would not be read: they are told on pointing."""

ROW_PIXELS = 28

Points = Sequence[tuple[float, Mapping[str, float]]]
"""Where, in steps or epochs, and what was measured there of each task."""


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
    data = []
    for place, name in enumerate(tasks):
        faint, sure = _look(name, place), _look(name, place)
        faint |= {"name": f"{as_typed(name)}, training", "mode": "lines", "opacity": 0.6}
        faint["line"] = {**faint["line"], "width": 1.2, "dash": "solid"}
        sure["name"] = f"{as_typed(name)}, validation"
        data.append(_with_points(faint, name, training, ".3f"))
        if validation or end is not None:
            data.append(_with_points(sure, name, validation, ".3f"))
    up = axis("loss, nats", rangemode="tozero")
    shown = {"training": training, "validation": validation}
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
    data = []
    for place, (name, metric) in enumerate(tasks.items()):
        look = _look(name, place) | {"name": f"{as_typed(name)}, {metric}"}
        data.append(_with_points(look, name, validation, ".1%"))
    up = shares("score", **({} if end is None else {"range": [0, 1.04]}))
    return _learning(
        "Score on the validation rows", data, {"validation": validation}, up, (unit, end)
    )


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
    dash = DASHES[place % len(DASHES)]
    mark = {"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 7}
    return line(as_typed(name), SERIES[place % len(SERIES)], dash) | {"marker": mark}


def _with_points(trace: Spec, name: str, points: Points, form: str) -> Spec:
    some = [(at, found[name]) for at, found in points if found.get(name) is not None]
    return trace | {
        "x": [rounded(at) for at, _ in some],
        "y": [rounded(value) for _, value in some],
        "hovertemplate": f"%{{y:{form}}}",
    }


def _learning(
    title: str,
    data: list[Spec],
    shown: Mapping[str, Points],
    up: Spec,
    across: tuple[str, float | None],
) -> Figure:
    unit, end = across
    below = axis(unit, rangemode="tozero", tickformat=",d")
    drawn = layout(title, below, up, hovermode="x unified")
    if end is not None:
        below["range"] = [0, end]
        drawn["yaxis2"] = {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
        data.append(change_marks())
    rows = tuple(
        (f"{at:g}", f"{shortened(name)}, {what}", f"{value:.4f}")
        for what, points in shown.items()
        for at, found in points
        for name, value in found.items()
    )
    last = {name: value for _, found in shown["validation"] for name, value in found.items()}
    ends = "; ".join(f"{shortened(name)} ends at {value:.3f}" for name, value in last.items())
    plotly = {"data": data, "layout": drawn}
    head = (unit.capitalize(), "What", "Value")
    return Figure(
        title=title, told=f"{ends}." if ends else title, plotly=plotly, head=head, rows=rows
    )


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
        found = []
        for _, kept, right in points:
            some = max(1, round(kept * rows[name]))
            found.append(vars(wilson_interval(round(right * some), some)) | {"mean": right})
        hover = [
            f"<b>{as_typed(name)}</b><br>{span(score)}<br>of the {percent(kept)} "
            f"with a confidence of {least:.2f} or more"
            for (least, kept, _), score in zip(points, found, strict=True)
        ]
        look = _look(name, place)
        colour = look["line"]["color"]
        data.append(
            look
            | {
                "x": [rounded(kept) for _, kept, _ in points],
                "y": [rounded(score["mean"]) for score in found],
                "error_y": bars(found) | {"color": colour, "thickness": 0.7, "width": 0},
                "hovertext": hover,
                "hovertemplate": "%{hovertext}<extra></extra>",
            }
        )
        table += [
            (shortened(name), f"{least:.3f}", percent(kept), span(score))
            for (least, kept, _), score in zip(points, found, strict=True)
        ]
        if points:
            told.append(
                f"{shortened(name)}: {percent(points[0][2])} of all rows are right, "
                f"{percent(points[-1][2])} of the surest {percent(points[-1][1])}"
            )
    across = shares("rows kept, the surest first", autorange="reversed")
    plotly = {"data": data, "layout": layout(title, across, shares("right among them"))}
    head = ("Task", "Confidence from", "Rows kept", "Right among them, 95 %")
    return Figure(
        title=title, told="; ".join(told) + ".", plotly=plotly, head=head, rows=tuple(table)
    )


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
    names = [as_typed(label, LABEL_CHARACTERS) for label in labels]
    full = [as_typed(label) for label in labels]
    written = size <= MOST_COUNTS_WRITTEN
    cells: Spec = {
        "type": "heatmap",
        "x": list(range(size)),
        "y": list(range(size)),
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
    ticks = {"tickvals": list(range(size)), "ticktext": names, "showgrid": False}
    across = axis("predicted", side="top", constrain="domain", **ticks)
    up = axis("true", autorange="reversed", **ticks)
    frames = [
        {"type": "rect", "x0": k - 0.46, "x1": k + 0.46, "y0": k - 0.46, "y1": k + 0.46}
        | {"line": {"color": ICE, "width": 1.5}}
        for k in range(size)
    ]
    title = f"{task}: true label by predicted"
    right, rows = sum(counts[k][k] for k in range(size)), sum(map(sum, counts))
    most = max(
        (
            (n, labels[i], labels[j])
            for i, row in enumerate(counts)
            for j, n in enumerate(row)
            if i != j
        ),
        default=(0, "", ""),
    )
    told = f"{right} of {rows} right" + (
        f"; most often {shortened(most[1])} is taken for {shortened(most[2])}, {most[0]} times"
        if most[0]
        else ""
    )
    drawn = layout(as_typed(title, 80), across, up, shapes=frames)
    drawn |= {"height": 130 + ROW_PIXELS * size, "dragmode": False}
    return Figure(
        title=title,
        told=f"{told}.",
        plotly={"data": [cells], "layout": drawn},
        head=("True", *(shortened(label) for label in labels)),
        rows=tuple(
            (shortened(label), *map(str, row)) for label, row in zip(labels, counts, strict=True)
        ),
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
    data, rows = [], []
    for place, (name, scores) in enumerate(profile.tasks.items()):
        metric = "f1" if "f1" in scores[0].scores else "accuracy"
        found = [vars(score.scores[metric]) for score in scores]
        look = _look(name, place)
        best = profile.best[name]
        look["name"] = f"{as_typed(name)}, {'strict F1' if metric == 'f1' else metric}"
        look["marker"]["size"] = [13 if score.layer == best else 7 for score in scores]
        data.append(
            look
            | {
                "x": [score.layer for score in scores],
                "y": [rounded(each["mean"]) for each in found],
                "error_y": bars(found) | {"color": look["line"]["color"]},
                "hovertext": [span(each) for each in found],
                "hovertemplate": "layer %{x}: %{hovertext}<extra>%{fullData.name}</extra>",
            }
        )
        rows += [
            (shortened(name), str(score.layer), span(each))
            for score, each in zip(scores, found, strict=True)
        ]
    title = "What can be read off each layer"
    across = axis("layer read (0 is the embeddings)", dtick=1)
    told = ". ".join(best_in_words(shortened(name), s) for name, s in profile.tasks.items())
    return Figure(
        title=title,
        told=f"{told}.",
        plotly={"data": data, "layout": layout(title, across, shares("score"))},
        head=("Task", "Layer", "Score, 95 %"),
        rows=tuple(rows),
    )
