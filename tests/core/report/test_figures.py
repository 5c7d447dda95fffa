"""A comparison's figures: the numbers that went in come out, and people's text stays text."""

import json
from typing import Any

import pytest

from core.report.drawing import ICE, Figure, as_typed
from core.report.figures import (
    cost_figure,
    curves_figure,
    efficiency_figure,
    forgetting_figure,
    is_frozen,
)
from tests.made_reports import HOSTILE, LIKE_PLOTLY, report, strategy

TWO = (strategy("heads", 0.6, 1.0, 0.0), strategy("full", 0.8, 60.0, 0.02))
DRAWINGS = [cost_figure, forgetting_figure, curves_figure, efficiency_figure]


def drawn(figure: Figure | None) -> Figure:
    """Give a figure that must be there, after Plotly itself has checked every part of it."""
    import plotly.graph_objects as go

    assert figure is not None
    assert json.loads(json.dumps(figure.plotly, allow_nan=False)) == figure.plotly
    go.Figure(figure.plotly)
    return figure


def traces(figure: Figure) -> dict[str, Any]:
    return {trace["name"]: trace for trace in figure.plotly["data"]}


@pytest.mark.parametrize("draw", DRAWINGS)
def test_a_figure_is_valid_and_told_in_words_and_in_a_table(draw: Any) -> None:  # noqa: ANN401
    figure = drawn(draw(report(*TWO)))
    assert "heads" in figure.told
    assert figure.title
    assert {"heads", "full"} <= {row[0] for row in figure.rows}
    assert {len(row) for row in figure.rows} == {len(figure.head)}
    for axis in ("xaxis", "yaxis"):
        assert figure.plotly["layout"][axis]["title"]["text"]


@pytest.mark.parametrize("draw", DRAWINGS)
def test_every_strategy_has_its_interval_and_more_than_a_colour(draw: Any) -> None:  # noqa: ANN401
    data = drawn(draw(report(*TWO))).plotly["data"]
    with_bars = [trace for trace in data if "error_y" in trace]
    assert sum(len(trace["x"]) if "text" in trace else 1 for trace in with_bars) == 2
    for trace in with_bars:
        assert all(above >= 0 for above in trace["error_y"]["array"])
        assert len(trace["error_y"]["arrayminus"]) == len(trace["y"])
    assert len({trace["marker"]["symbol"] for trace in with_bars}) == 2


def test_scores_and_seconds_stand_where_they_are() -> None:
    figure = drawn(cost_figure(report(*TWO)))
    frozen, tuned = (
        traces(figure)[name] for name in ("the encoder is frozen", "the encoder trains")
    )
    assert (frozen["x"], frozen["y"]) == ([1.0], [0.6])
    assert (tuned["x"], tuned["y"]) == ([60.0], [0.8])
    assert frozen["error_y"]["array"] == [0.05]
    assert frozen["marker"]["color"] == ICE
    assert traces(figure)["none cheaper is as good"]["y"] == [0.6, 0.8]
    assert figure.plotly["layout"]["shapes"][0]["y0"] == 0.4, "the floor"
    assert figure.told == "heads 60.0 % in 1.0 s; full 80.0 % in 60 s. Counting words: 40.0 %."
    low, high = figure.plotly["layout"]["xaxis"]["range"]
    assert 10**low < 1 < 60 < 10**high


def test_a_task_is_drawn_by_its_own_score() -> None:
    figure = drawn(cost_figure(report(*TWO), HOSTILE))
    assert traces(figure)["the encoder trains"]["y"] == [0.8]
    assert figure.title.endswith(", accuracy")


def test_what_a_cheaper_one_beats_is_not_on_the_line() -> None:
    dear = strategy("full", 0.5, 60.0, None)
    figure = drawn(cost_figure(report(strategy("heads", 0.6, 1.0, None), dear)))
    assert traces(figure)["none cheaper is as good"]["y"] == [0.6]
    assert [row[-1] for row in figure.rows] == ["yes", ""]


def test_the_advised_one_is_ringed() -> None:
    some = report(*TWO)
    some["advice"]["strategy"] = "full"
    ring = traces(drawn(cost_figure(some)))["advised"]
    assert (ring["x"], ring["y"]) == ([60.0], [0.8])
    assert "advised" not in traces(drawn(cost_figure({**some, "advice": None})))


def test_forgetting_is_drawn_with_both_intervals_or_not_at_all() -> None:
    tuned = traces(drawn(forgetting_figure(report(*TWO))))["the encoder trains"]
    assert tuned["x"] == [0.02]
    assert tuned["error_x"]["array"] == [0.05]
    assert forgetting_figure(report(strategy("heads", 0.6, 1.0, None))) is None


def test_curves_are_means_over_the_runs_from_the_lowest_to_the_highest() -> None:
    some = report(*TWO)
    other = [{"epoch": n, "scores": {"kind": 0.1 * n}} for n in (1, 2, 3)]
    some["runs"].append({**some["runs"][0], "curves": {"epochs": other}})
    line = traces(drawn(curves_figure(some)))["heads"]
    assert line["x"] == [1, 2, 3]
    assert line["y"] == pytest.approx([0.15, 0.3, 0.45])
    assert line["error_y"]["array"] == pytest.approx([0.05, 0.1, 0.15])


def test_more_rows_lie_to_the_right_and_the_last_point_is_of_all() -> None:
    figure = drawn(efficiency_figure(report(*TWO)))
    for name, told in (("heads", 0.6), ("full", 0.8)):
        line = traces(figure)[name]
        assert (line["x"], line["y"]) == ([10, 20], [0.4, told])
    assert efficiency_figure({**report(*TWO), "per_class": []}) is None


def test_a_comparison_without_a_score_has_no_figure() -> None:
    none = strategy("heads", 0.6, 1.0, None) | {"mean": None}
    assert cost_figure(report(none)) is None


@pytest.mark.parametrize("name", [*LIKE_PLOTLY, HOSTILE])
def test_no_text_of_people_s_is_markup_or_a_place_to_fill_in(name: str) -> None:
    for draw in DRAWINGS:
        figure = drawn(draw(report(strategy(name, 0.5, 1.0, 0.1), *TWO)))
        spoken = json.dumps(
            [
                [trace["name"], trace.get("text"), trace.get("hovertext")]
                for trace in figure.plotly["data"]
            ]
            + [figure.plotly["layout"]["title"]]
        )
        assert "<" not in spoken.replace("<b>", "").replace("</b>", "").replace("<br>", "")
        assert as_typed(name) in json.loads(json.dumps(spoken)).encode().decode("unicode_escape")
        assert "%{" not in spoken
        assert "$" not in spoken


def test_text_is_cut_before_it_is_escaped() -> None:
    assert as_typed("&" * 50) == "&amp;" * 39 + "…"
    assert as_typed("100 % sure\x1b") == "100 &#37; sure"


@pytest.mark.parametrize(
    ("name", "frozen"),
    [("heads", True), ("heads@4", True), ("frozen", True), ("lower:4", False), ("full", False)],
)
def test_heads_alone_leave_the_encoder_frozen(name: str, frozen: bool) -> None:
    assert is_frozen(name) is frozen


def test_no_name_is_put_outside_the_chart_or_on_another_s_mark() -> None:
    close = [strategy(name, 0.6 + 0.001 * k, 1 + 0.1 * k, None) for k, name in enumerate("abcd")]
    figure = drawn(cost_figure(report(*close, strategy("far" * 9, 0.9, 90.0, None))))
    sides = [side for trace in figure.plotly["data"] for side in trace.get("textposition", ())]
    assert sides[-1].endswith("left"), "there is no room at its right"
    assert len(set(sides[:-1])) > 1
