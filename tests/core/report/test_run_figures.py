"""Figures of a run, a model and an encoder: the numbers are those given, and text stays text."""

import json

import pytest

from core.knowledge.layer_profile import LayerProfile
from core.measures.metrics import wilson_interval
from core.report.run_figures import (
    confusion_figure,
    coverage_figure,
    loss_figure,
    profile_figure,
    score_figure,
)
from tests.core.report.test_figures import drawn, traces
from tests.made_reports import LIKE_PLOTLY, profile_of

TRAINING = [(1, {"kind": 1.0, "mood": 0.9}), (2, {"kind": 0.5, "mood": 0.8})]
VALIDATION = [(2, {"kind": 0.6})]


def test_losses_are_thin_on_the_training_rows_and_marked_on_validation() -> None:
    figure = drawn(loss_figure(["kind", "mood"], TRAINING, VALIDATION))
    found = traces(figure)
    assert found["kind, training"]["y"] == [1.0, 0.5]
    assert found["kind, training"]["mode"] == "lines"
    assert (found["kind, validation"]["x"], found["kind, validation"]["y"]) == ([2], [0.6])
    assert found["mood, validation"]["y"] == []
    symbols = [found[f"{name}, validation"]["marker"]["symbol"] for name in ("kind", "mood")]
    assert len(set(symbols)) == 2
    assert figure.head == (
        "Step",
        "kind, training",
        "kind, validation",
        "mood, training",
        "mood, validation",
    )
    assert figure.rows == (("1", "1.000", "", "0.900", ""), ("2", "0.500", "0.600", "0.800", ""))
    assert figure.told == (
        "kind, training ends at 0.500; kind, validation ends at 0.600; "
        "mood, training ends at 0.800."
    )


def test_a_run_that_goes_on_has_empty_lines_in_order_and_marks_for_changes() -> None:
    figure = drawn(loss_figure(["kind", "mood"], end=50))
    names = [trace["name"] for trace in figure.plotly["data"]]
    assert names == [
        "kind, training",
        "kind, validation",
        "mood, training",
        "mood, validation",
        "changed by hand",
    ]
    assert figure.plotly["layout"]["xaxis"]["range"][1] >= 50
    assert figure.plotly["data"][-1]["yaxis"] == "y2"
    scores = drawn(score_figure({"kind": "accuracy"}, end=50))
    assert [trace["name"] for trace in scores.plotly["data"]] == [
        "kind, accuracy",
        "changed by hand",
    ]


def test_scores_are_shares_by_epoch() -> None:
    figure = drawn(score_figure({"kind": "accuracy"}, [(1, {"kind": 0.5})], unit="epoch"))
    assert figure.plotly["data"][0]["y"] == [0.5]
    assert figure.rows == (("1", "50.0 %"),)
    assert figure.head == ("Epoch", "kind, accuracy")


def test_coverage_has_the_interval_of_the_rows_that_are_kept() -> None:
    points = [(0.2, 1.0, 0.5), (0.9, 0.4, 1.0)]
    figure = drawn(coverage_figure({"kind": points}, {"kind": 10}))
    (line,) = figure.plotly["data"]
    assert (line["x"], line["y"]) == ([1.0, 0.4], [0.5, 1.0])
    below = [0.5 - wilson_interval(5, 10).low, 1 - wilson_interval(4, 4).low]
    assert line["error_y"]["arrayminus"] == pytest.approx(below, abs=1e-4)
    assert figure.told == "kind: 50.0 % of all rows are right, 100.0 % of the surest 40.0 %."
    assert figure.rows[1][:3] == ("kind", "0.900", "40.0 %")


def test_a_confusion_shows_its_counts_and_frames_what_is_right() -> None:
    figure = drawn(confusion_figure("kind", ["a", "b"], [[3, 1], [0, 2]]))
    cells = figure.plotly["data"][0]
    assert cells["z"] == [[3, 1], [0, 2]]
    assert cells["text"] == [["3", "1"], ["·", "2"]]
    assert cells["hovertext"][0][1] == "is a<br>taken for b<br>1 of 4"
    assert len(figure.plotly["layout"]["shapes"]) == 2
    assert figure.told == "5 of 6 right; most often a is taken for b, 1 time."
    assert figure.rows == (("a", "3", "1"), ("b", "0", "2"))
    with pytest.raises(ValueError, match="2 labels and counts of another shape"):
        confusion_figure("kind", ["a", "b"], [[1, 2]])


def test_of_very_many_labels_the_counts_are_told_on_pointing() -> None:
    names = [str(k) for k in range(60)]
    counts = [[int(i == j) for j in range(60)] for i in range(60)]
    cells = drawn(confusion_figure("kind", names, counts)).plotly["data"][0]
    assert {text for row in cells["text"] for text in row} == {""}
    assert cells["hovertext"][0][0] == "is 0<br>taken for 0<br>1 of 1"


@pytest.mark.parametrize("name", LIKE_PLOTLY)
def test_no_label_is_markup_or_a_place_to_fill_in(name: str) -> None:
    values = [(1, {name: 0.5})]
    for figure in (
        loss_figure([name], values, values, end=9),
        score_figure({name: "accuracy"}, values),
        coverage_figure({name: [(0.1, 1.0, 0.5)]}, {name: 4}),
        confusion_figure(name, [name, "b"], [[1, 2], [3, 4]]),
        profile_figure(profile_of([0.5, 0.6], name)),
    ):
        data, layout = drawn(figure).plotly["data"], figure.plotly["layout"]
        spoken = json.dumps(
            [
                [[trace.get(key) for key in ("name", "text", "hovertext")] for trace in data],
                [layout["title"], layout["xaxis"].get("ticktext"), layout["yaxis"].get("ticktext")],
            ]
        )
        assert "<" not in spoken.replace("<b>", "").replace("</b>", "").replace("<br>", "")
        assert "%{" not in spoken
        assert "$" not in spoken


def test_a_profile_has_its_scores_with_their_intervals_and_the_best_one_is_larger() -> None:
    figure = drawn(profile_figure(profile_of([0.5, 0.81, 0.77])))
    (line,) = figure.plotly["data"]
    assert line["y"] == [0.5, 0.81, 0.77]
    assert line["error_y"]["array"][1] == pytest.approx(0.03)
    assert line["name"] == "topic, accuracy"
    assert line["marker"]["size"][1] == max(line["marker"]["size"]) > line["marker"]["size"][2]
    assert figure.told == (
        "topic is read best at layer 1: 0.81 (0.78 to 0.84), 4 points above the last."
    )


def test_an_empty_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        profile_figure(LayerProfile(tasks={}))
