"""What travels to the browser of a comparison: every block, as plain values."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from core.report.blocks import Chart, Code, Note, Sentence, Table
from core.report.comparison import comparison_report
from demo.frame.views import SHOWN_CHARACTERS, shorten
from demo.freeze.views import MOST_BLOCKS, MOST_ROWS, result_view, sections_view
from tests.made_reports import TYPED, report, strategy

LOWER = strategy("lower:1", 0.8, 60.0, 0.02)
HEADS = strategy("heads", 0.6, 1.0, 0.0)


def strings(value: Any) -> Iterator[str]:  # noqa: ANN401 (any JSON)
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def test_every_block_of_a_report_travels() -> None:
    told = comparison_report(report(HEADS, LOWER, labels=TYPED))
    sections = json.loads(json.dumps(sections_view(told)))
    assert [each["name"] for each in sections] == [each.name for each in told.sections]
    for section, view in zip(told.sections, sections, strict=True):
        kinds = [type(block).__name__ for block in section.blocks]
        assert [block["kind"] for block in view["blocks"]] == kinds
        for block, seen in zip(section.blocks, view["blocks"], strict=True):
            found = set(strings(seen))
            if isinstance(block, Sentence | Note):
                assert block.text in found
            elif isinstance(block, Table):
                cells = [cell for row in block.rows for cell in row.cells]
                assert {shorten(cell.text) for cell in cells} <= found | {""}
                assert {cell.interval for cell in cells} <= found | {""}
                assert {shorten(column.heading) for column in block.columns} <= found
            elif isinstance(block, Chart):
                assert {block.figure.title, block.figure.told} <= found
                assert seen["figure"]["plotly"]["data"]
            else:
                assert isinstance(block, Code)
                assert {block.file, block.text} <= found


def test_beside_what_is_told_there_is_what_can_be_done_with_it() -> None:
    view = result_view(
        report(
            strategy("heads", 0.6, 1.0, 0.0, text="mood"),
            strategy("lower:1", 0.8, 60.0, 0.02, text="mood"),
            text="mood",
        ),
        name="x",
        made="now",
        kept={("heads", 0)},
    )
    assert (view["usable"], view["advised"], view["tasks"]) == (True, "heads", ["mood"])
    assert [each["parts"] for each in view["strategies"]] == ["fffft", "ffttt"]
    assert [each["runs"] for each in view["strategies"]] == [
        [{"seed": 0, "kept": True}],
        [{"seed": 0, "kept": False}],
    ]


@pytest.mark.parametrize("count", [3, MOST_BLOCKS + 20])
def test_of_very_much_the_first_travels(count: int) -> None:
    given = report(HEADS, LOWER)
    given["notes"] = [f"note {n}" for n in range(count)]
    ((task, look),) = given["second_look"].items()
    given["second_look"][task] = {**look, "shown": look["shown"] * count}
    long = "x" * (2 * SHOWN_CHARACTERS)
    given["second_look"][task]["shown"][0] = {**look["shown"][0], "text": long}
    sections = {each["name"]: each["blocks"] for each in sections_view(comparison_report(given))}
    assert len(sections["notes"]) == min(MOST_BLOCKS, count + 3)
    rows = sections["second-look"][-1]["rows"]
    assert len(rows) == min(MOST_ROWS, count)
    assert len(rows[0]["cells"][-1]["text"]) == SHOWN_CHARACTERS
