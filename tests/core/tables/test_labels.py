import re

import pytest

from core.tables.labels import (
    MAX_CLASSES,
    Cell,
    Nested,
    changes_made,
    class_labels,
    holds_spans,
    label_text,
    spans_in,
    why_no_classes,
)
from core.task import Span


@pytest.mark.parametrize(
    ("cell", "label"),
    [
        ("news", "news"),
        (" news\t", "news"),
        ("None", "None"),
        (0, "0"),
        (2.0, "2"),
        (0.5, "0.5"),
        (True, "true"),
        (False, "false"),
        (None, None),
        (float("nan"), None),
        ("", None),
        ("  ", None),
        ("NaN", None),
        ("N/A", None),
        ("<b>bold</b>", "<b>bold</b>"),
        ('=HYPERLINK("x")', '=HYPERLINK("x")'),
    ],
)
def test_a_cell_is_a_label_or_none(cell: Cell, label: str | None) -> None:
    assert label_text(cell) == label


def test_whole_numbers_written_with_a_point_are_whole() -> None:
    assert class_labels(["1.0", "", "2.0"]) == ["1", None, "2"]
    assert class_labels(["1.0", "2.5"]) == ["1.0", "2.5"]


def test_what_is_changed_is_said() -> None:
    cells = ["a", "a ", "NaN", "NaN", ""]
    changes = changes_made(cells, class_labels(cells))
    assert changes == ["2 cells hold 'NaN', which is no label", "'a ' is read as 'a'"]
    assert changes_made(["a", "b", None], ["a", "b", None]) == []


@pytest.mark.parametrize(
    "cells",
    [
        ["0", "1", "2"] * 4,
        [float(n % 5) for n in range(30)],
        [str(n) for n in range(77)] * 6,  # class numbers, counting up, each often
        ["0.0", "0.5", "1.0"],
        ["Paris, France", "Lima, Peru", "Austin, Texas", "Paris, Texas"],
        ["R&D", "sales", "before; after"],
        ["a|b", "c"],
        ["true", "false"],
    ],
)
def test_classes_are_taken_for_classes(cells: list[Cell]) -> None:
    assert why_no_classes(cells, class_labels(cells)) == ""


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([n / 7 for n in range(40)], r"40 different numbers: Thaw predicts classes"),
        ([f"{n}.5" for n in range(8)], r"8 different numbers"),
        ([str(n * n) for n in range(30)] * 9, r"30 different numbers"),
        ([str(n) for n in range(100)], r"100 different numbers"),
        (["a;b", "a", "b"], r"several labels in one cell \('a;b'\), must hold one"),
        (["red|green", "green|blue", "blue|red"], r"several labels in one cell \('red\|green'\)"),
        (["x, y", "x", "y", "y, x"], r"several labels in one cell"),
        ([Nested('["a", "b"]'), Nested("[]")], r"lists or objects, must hold one label a cell"),
        (['["a", "b"]', "[]"], r"lists or objects"),
        (["['a', 'b']", "[]"], r"lists or objects"),
        ([f"class {n}" for n in range(MAX_CLASSES + 1)], r"1,001 different labels, must be at"),
        (["x" * 201, "y"], r"a text of 201 characters \('x+'…\), must hold labels of at most 200"),
    ],
)
def test_what_is_no_class_is_refused_in_words(cells: list[Cell], reason: str) -> None:
    assert re.search(reason, why_no_classes(cells, class_labels(cells)))


SPAN = (Span(0, 4, "LOC"),)


@pytest.mark.parametrize(
    ("cell", "spans"),
    [
        (Nested('[{"start": 0, "end": 4, "label": "LOC", "text": "Lima"}]'), SPAN),
        ('[{"start": 0, "end": 4, "label": "LOC"}]', SPAN),
        ("[{'start': 0, 'end': 4, 'label': 'LOC'}]", SPAN),
        ('[[0, 4, "LOC"]]', SPAN),
        (Nested('{"start": [0], "end": [4], "label": ["LOC"]}'), SPAN),
        ("[[5, 6, 7], [0, 4, 'LOC']]", (Span(0, 4, "LOC"), Span(5, 6, "7"))),
        ("[]", ()),
        (Nested("[]"), ()),
        ("", None),
        (None, None),
        (float("nan"), None),
    ],
)
def test_spans_are_read_as_programs_write_them(cell: Cell, spans: tuple[Span, ...] | None) -> None:
    assert spans_in(cell) == spans


@pytest.mark.parametrize(
    "cell",
    [
        "Lima",
        "[",
        "[1, 2]",
        '["Lima"]',
        '[{"start": "0", "end": 4, "label": "LOC"}]',
        '[{"start": 0, "end": true, "label": "LOC"}]',
        '[{"start": 0, "end": 4}]',
        '[{"start": 0, "end": 4, "label": ""}]',
        '{"start": 0}',
        Nested('{"start": [0, 1], "end": [4], "label": ["LOC"]}'),
        5,
        True,
        "[" * 50_000,
        "(" * 5_000 + ")" * 5_000,
    ],
)
def test_what_is_no_list_of_spans_is_refused(cell: Cell) -> None:
    with pytest.raises(ValueError, match=r"must hold a list of spans such as") as caught:
        spans_in(cell)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("cells", "holds"),
    [
        ([None, "[]", '[[0, 4, "LOC"]]'], True),
        ([Nested('[{"start": 0, "end": 4}]')], True),  # meant as spans: refused with its line
        ([Nested('["a", "b"]')], False),
        (["[sic] he said", "[0"], False),
        (["[]", ""], False),
        (["news"], False),
    ],
)
def test_a_column_of_spans_is_told_by_its_first(cells: list[Cell], holds: bool) -> None:
    assert holds_spans(cells) is holds
