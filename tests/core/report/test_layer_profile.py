"""Pictures of a layer profile: everything in them is true, readable and harmless."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.knowledge.layer_profile import LayerProfile
from core.report.layer_profile import (
    PANEL_HEIGHT,
    PANEL_WIDTH,
    layer_profile_svg,
)
from tests.made_reports import profile_of

SVG = "{http://www.w3.org/2000/svg}"


def texts_of(drawn: str) -> list[str]:
    return [(each.text or "").strip() for each in ET.fromstring(drawn).iter(f"{SVG}text")]


def test_the_picture_says_in_words_what_it_shows() -> None:
    root = ET.fromstring(layer_profile_svg(profile_of([0.5, 0.81, 0.77])))
    assert root.attrib["role"] == "img"
    named = root.attrib["aria-labelledby"].split()
    told = {each.attrib.get("id"): each.text for each in root}
    assert told[named[0]] == "What can be read off each layer: topic"
    assert told[named[1]] == (
        "topic is read best at layer 1: 0.81 (0.78 to 0.84), 4 points above the last."
    )


def test_every_layer_has_a_point_and_the_best_one_its_figure() -> None:
    drawn = layer_profile_svg(profile_of([0.5, 0.81, 0.77]))
    root = ET.fromstring(drawn)
    assert len(list(root.iter(f"{SVG}circle"))) == 3
    assert "best 0.81" in texts_of(drawn)
    assert {"0", "1", "2"} <= set(texts_of(drawn))


def test_every_task_has_its_panel() -> None:
    both = LayerProfile(
        tasks=profile_of([0.1, 0.2]).tasks | profile_of([0.3, 0.6], "entities", "f1").tasks
    )
    root = ET.fromstring(layer_profile_svg(both))
    assert root.attrib["viewBox"] == f"0 0 {2 * PANEL_WIDTH} {PANEL_HEIGHT}"
    assert "strict F1" in texts_of(layer_profile_svg(both))[-1]


def test_a_hostile_name_stays_text() -> None:
    hostile = '<script>alert(1)</script>"&\x1b[2J' + "x" * 200
    drawn = layer_profile_svg(profile_of([0.5, 0.6], hostile))
    assert "<script>" not in drawn
    assert "\x1b" not in drawn
    assert not list(ET.fromstring(drawn).iter(f"{SVG}script"))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_whatever_the_scores_nothing_lies_outside_the_panel(means: list[float]) -> None:
    root = ET.fromstring(layer_profile_svg(profile_of(means)))
    for each in root.iter():
        for key in ("x", "cx", "x1", "x2"):
            assert 0 <= float(each.attrib.get(key, 0)) <= PANEL_WIDTH
        for key in ("y", "cy", "y1", "y2"):
            assert 0 <= float(each.attrib.get(key, 0)) <= PANEL_HEIGHT


def test_an_empty_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        layer_profile_svg(LayerProfile(tasks={}))
