"""The report as a page: its pictures are true, it needs nothing else, and no text is markup."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from core.report.comparison_page import comparison_html
from core.report.comparison_pictures import (
    _Axis,
    cost_picture,
    curves_picture,
    efficiency_picture,
    forgetting_picture,
)

HOSTILE = '"><script>alert(1)</script>&\x1b[2J'
SVG = "{http://www.w3.org/2000/svg}"


def interval(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.05, "high": mean + 0.05}


def strategy(name: str, mean: float, seconds: float, lost: float | None) -> dict[str, Any]:
    return {
        "name": name,
        "read": [HOSTILE],
        "seeds": [0],
        "mean": interval(mean),
        "versus_heads": None,
        "tasks": {HOSTILE: {"accuracy": interval(mean), "macro_f1": interval(mean)}},
        "seconds": seconds,
        "seconds_per_step": seconds / 10,
        "trainable_parameters": 1000,
        "peak_memory_bytes": None,
        "inference_sentences_per_second": 50.0,
        "forgetting": None if lost is None else interval(lost),
        "drift": {"probe": {"cka": 0.9, "neighbours_kept": 8.0}},
        "notes": [HOSTILE],
    }


def document(*strategies: dict[str, Any]) -> dict[str, Any]:
    curve = [{"epoch": n, "scores": {"kind": 0.2 * n}} for n in (1, 2, 3)]
    return {
        "data": HOSTILE,
        "data_fingerprint": "abc",
        "rows": 30,
        "tasks": {HOSTILE: {"kind": "sentence", "labels": [HOSTILE]}},
        "encoder": {"name": HOSTILE, "fingerprint": "abc"},
        "seeds": 1,
        "folds": 3,
        "epochs": None,
        "score": "accuracy",
        "over_budget": False,
        "jobs": 1,
        "threads": 2,
        "wall_seconds": 9.0,
        "floor": {HOSTILE: {"majority": 0.3, "lexical": interval(0.4)}},
        "strategies": list(strategies),
        "best": strategies[0]["name"],
        "runs": [
            {"strategy": each["name"], "curves": {"epochs": curve}, "training_rows": 20}
            for each in strategies
        ],
        "advice": {"text": HOSTILE, "tasks": {n: {"text": HOSTILE} for n in (HOSTILE, "mood")}},
        "single_task": {
            HOSTILE: [{"name": HOSTILE, "mean": interval(0.5), "versus": interval(0.0)}]
        },
        "per_class": [
            {
                "rows_per_class": 8,
                "rows": 10.0,
                "strategies": [
                    {"name": each["name"], "mean": interval(0.4), "versus": interval(-0.2)}
                    for each in strategies
                ],
            }
        ],
        "second_look": {
            HOSTILE: {
                "rows": [3],
                "unit": "line",
                "shown": [
                    {"place": 3, "text": HOSTILE, "actual": HOSTILE, "predicted": {HOSTILE: 2}}
                ],
            }
        },
        "failed": {HOSTILE: [HOSTILE]},
        "notes": [HOSTILE],
        "command": HOSTILE,
        "versions": {"torch": HOSTILE},
        "machine": HOSTILE,
    }


TWO = (strategy("heads", 0.6, 1.0, 0.0), strategy(f"full {HOSTILE}", 0.8, 60.0, 0.02))


def test_no_text_is_markup_and_the_page_needs_nothing_else() -> None:
    page = comparison_html(document(*TWO))
    assert "<script" not in page
    assert "\x1b" not in page
    assert not re.findall(r"(?:src|href)=", page)
    assert "&lt;script&gt;" in page


def test_the_advice_of_one_task_is_said_once_and_of_several_for_each() -> None:
    several = {**document(*TWO), "advice": {"text": "take heads", "tasks": {}}}
    several["advice"]["tasks"] = {name: {"text": f"{name} alone"} for name in ("kind", "mood")}
    page = comparison_html(several)
    assert "kind: kind alone" in page
    assert "mood: mood alone" in page
    one = {**several, "advice": {"text": "take heads", "tasks": {"kind": {"text": "take heads"}}}}
    assert comparison_html(one).count("take heads") == 1


def test_epochs_are_counted_in_whole_numbers() -> None:
    some = document(*TWO)
    curve = [{"epoch": n, "scores": {"kind": 0.5}} for n in (1, 2)]
    some["runs"] = [{**run, "curves": {"epochs": curve}} for run in some["runs"]]
    labels = {each.text for each in ET.fromstring(curves_picture(some)).iter(f"{SVG}text")}
    assert {"1", "2"} <= labels
    assert not any(re.fullmatch(r"1\.\d+", str(each)) for each in labels)


DRAWINGS = [cost_picture, forgetting_picture, curves_picture, efficiency_picture]


@pytest.mark.parametrize("draw", DRAWINGS)
def test_pictures_are_whole_and_told_in_words(draw: Any) -> None:  # noqa: ANN401
    root = ET.fromstring(draw(document(*TWO)))
    assert root.attrib["role"] == "img"
    assert "heads" in root.attrib["aria-label"]


def test_every_score_of_a_task_and_both_differences_are_in_the_page() -> None:
    heads, full = strategy("heads", 0.6, 1.0, 0.0), strategy("full", 0.8, 60.0, 0.02)
    gap = {"mean": interval(-0.2), "tasks": {HOSTILE: interval(-0.21)}}
    heads["versus_best"], full["versus_best"] = {"strategy": "full", **gap}, None
    full["tasks"][HOSTILE]["versus_heads"] = interval(0.21)
    page = comparison_html({**document(full, heads)})
    assert "macro-F1" in page
    assert "versus full" in page
    assert page.count("-21.0 (-26.0 to -16.0)") == 1
    assert page.count("+21.0 (+16.0 to +26.0)") == 1
    assert page.count("-20.0 (-25.0 to -15.0)") == 3, "against the best, and two of fewer rows"
    assert "full: The encoder has drifted to a CKA of 0.900" in page


def test_more_rows_lie_to_the_right_and_the_last_point_is_of_all() -> None:
    root = ET.fromstring(efficiency_picture(document(*TWO)))
    lines = [each.attrib["points"].split() for each in root.iter(f"{SVG}polyline")]
    assert len(lines) == 2
    for (first, last), told in zip(lines, (0.6, 0.8), strict=True):
        assert float(first.split(",")[0]) < float(last.split(",")[0])
        assert float(first.split(",")[1]) > float(last.split(",")[1]), f"{told} is above 0.4"
    assert efficiency_picture({**document(*TWO), "per_class": []}) == ""


def test_of_many_rows_worth_a_look_it_says_how_many_are_shown() -> None:
    given = document(*TWO)
    given["second_look"][HOSTILE]["rows"] = list(range(70))
    assert "the first 1 are shown" in comparison_html(given)
    assert "are shown" not in comparison_html(document(*TWO))


def test_what_is_better_stands_higher_and_what_costs_more_stands_to_the_right() -> None:
    root = ET.fromstring(cost_picture(document(*TWO)))
    full, heads = (
        (float(each.attrib["cx"]), float(each.attrib["cy"])) for each in root.iter(f"{SVG}circle")
    )
    assert full[0] > heads[0]
    assert full[1] < heads[1]


def test_what_a_cheaper_one_beats_is_not_on_the_frontier() -> None:
    dear = strategy("full", 0.5, 60.0, None)
    root = ET.fromstring(cost_picture(document(strategy("heads", 0.6, 1.0, None), dear)))
    filled = [each.attrib["fill"] for each in root.iter(f"{SVG}circle")]
    assert filled.count("#ffffff") == 1


def test_where_forgetting_was_not_measured_there_is_no_picture_of_it() -> None:
    assert forgetting_picture(document(strategy("heads", 0.6, 1.0, None))) == ""


@pytest.mark.parametrize("height", [0.05, 0.2, 0.69, 0.71, 0.8, 0.95, 1.0, 3.0])
def test_an_axis_of_any_height_has_a_few_round_ticks(height: float) -> None:
    ticks = _Axis(low=0.0, high=height, start=0.0, end=1.0).ticks()
    assert 2 <= len(ticks) <= 8
    assert ticks[0] == 0
    assert height / 2 < ticks[-1] <= height + 1e-9
