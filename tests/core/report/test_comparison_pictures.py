"""A comparison drawn as SVG: its pictures are true."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from core.report.comparison_pictures import (
    _Axis,
    cost_picture,
    curves_picture,
    efficiency_picture,
    forgetting_picture,
)
from tests.made_reports import TWO, strategy
from tests.made_reports import report as document

SVG = "{http://www.w3.org/2000/svg}"


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


def test_more_rows_lie_to_the_right_and_the_last_point_is_of_all() -> None:
    root = ET.fromstring(efficiency_picture(document(*TWO)))
    lines = [each.attrib["points"].split() for each in root.iter(f"{SVG}polyline")]
    assert len(lines) == 2
    for (first, last), told in zip(lines, (0.6, 0.8), strict=True):
        assert float(first.split(",")[0]) < float(last.split(",")[0])
        assert float(first.split(",")[1]) > float(last.split(",")[1]), f"{told} is above 0.4"
    assert efficiency_picture({**document(*TWO), "per_class": []}) == ""


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
