import dataclasses

import pytest

from core.config import DataChoice
from core.tables.columns import Table, choose_columns, task_name
from core.tables.labels import Cell, Nested

TEXTS = ["It rains again today.", "She won the race.", "A new phone came out.", "He sat down."]


def table(**columns: list[Cell]) -> Table:
    rows = max(map(len, columns.values()), default=0)
    return Table(
        name="f.csv",
        names=tuple(columns),
        columns=columns,
        places=range(2, rows + 2),
        unit="line",
    )


def choice(**settings: object) -> DataChoice:
    return dataclasses.replace(DataChoice(source="f.csv"), **settings)


def test_text_and_labels_are_guessed_and_the_guesses_are_said() -> None:
    given = table(id=[1, 2, 3, 4], body=[*TEXTS], kind=["a", "b", "a", "b"], url=[*TEXTS])
    roles = choose_columns(given, choice())
    assert (roles.text, roles.labels, roles.group) == ("body", {"kind": "kind"}, None)
    assert roles.notes == (
        "the text is read from column 'body' (guessed by its name; text_column names another)",
        "labels are read as kind from column 'kind' (guessed; label_columns names others)",
        "columns left out: 'id', 'url'",
    )


def test_without_a_known_name_the_longest_cells_are_the_text() -> None:
    given = table(
        label=["a", "b"], who=["Ann", "Bo"], said=TEXTS[:2], tags=[Nested(" " * 99), None]
    )
    roles = choose_columns(given, choice())
    assert roles.text == "said"
    assert "guessed, as its cells are the longest" in roles.notes[0]


def test_columns_that_are_known_need_no_note() -> None:
    given = dataclasses.replace(table(text=[*TEXTS], topic=["a", "b"] * 2), certain=True)
    assert choose_columns(given, choice()).notes == ()


def test_columns_that_are_named_are_taken_whatever_they_are_called() -> None:
    given = table(text=["a", "b"], id=["x", "y"], said=TEXTS[:2], fold=["train", "test"])
    named = choice(text_column="said", label_columns=("id", "m=text"), split_column="fold")
    roles = choose_columns(given, named)
    assert roles.labels == {"id": "id", "m": "text"}
    assert (roles.text, roles.split, roles.notes) == ("said", "fold", ())


@pytest.mark.parametrize(
    ("typed", "labels"),
    [
        ("kind of=it", {"kind_of_it": "kind of=it"}),  # a column of that name comes first
        ("t=kind of=it", {"t": "kind of=it"}),
        ("größe", {"größe": "größe"}),
    ],
)
def test_a_task_and_its_column_are_told_apart_by_what_is_there(
    typed: str, labels: dict[str, str]
) -> None:
    given = table(**{"text": TEXTS[:2], "kind of=it": ["a", "b"], "größe": ["x", "y"]})
    assert choose_columns(given, choice(label_columns=(typed,))).labels == labels


def test_a_tasks_name_has_letters_digits_and_strokes() -> None:
    assert task_name("What kind? (α-2)") == "What_kind___α-2_"


@pytest.mark.parametrize(
    ("name", "cells", "taken"),
    [
        ("mood", ["a", "b"] * 4, True),
        ("mood", ["a"] * 8, False),  # one class
        ("mood", list("abcdefgh"), False),  # as many classes as rows
        ("topic", list("abcdefgh"), True),  # but called as labels are
        ("rating", [1, 2] * 4, True),
        ("size", list(range(8)), False),
        ("spam", [True, False] * 4, True),
        ("names", [Nested('[{"start": 0, "end": 2, "label": "X"}]')] + [None] * 7, True),
        ("names", ['[{"start": 0, "end": 2, "label": "X"}]'] + [""] * 7, True),
        ("split", ["train", "test"] * 4, False),
        ("mood", [*"aabcdefg"], True),  # few rows, and one class comes twice
        ("mood", [*"abcdefghijklmnopqrstu", "a"], False),
        ("user_id", ["a", "b"] * 4, False),
        ("UserId", ["a", "b"] * 4, False),
        ("part", ["train", "Test"] * 4, False),
        ("paid", ["a", "b"] * 4, True),
        ("made", ["2024-01-02", "2024-01-03 10:00"] * 4, False),
        ("Source", ["a", "b"] * 4, False),
        (
            "more",
            ["A sentence as long as this is no label."] * 4 + ["Nor is one like that."] * 4,
            True,
        ),
        (
            "more",
            ["A sentence that is as long as this one is no label."] * 4 + ["Nor that"] * 4,
            True,
        ),
        ("more", ["A sentence that is as long as this one is no label."] * 7 + ["No"], False),
        ("empty", [None] * 8, False),
    ],
)
def test_a_column_is_guessed_to_be_labels_by_its_name_and_cells(
    name: str, cells: list[Cell], taken: bool
) -> None:
    given = table(text=TEXTS * 2, label=["x", "y"] * 4, **{name: cells})
    assert (name in choose_columns(given, choice()).labels) is taken


def test_a_group_column_is_taken_unless_it_has_few_groups() -> None:
    rows = [f"g{n // 2}" for n in range(20)]
    columns = {"text": TEXTS * 5, "label": ["a", "b"] * 10, "group": rows}
    roles = choose_columns(table(**columns), choice())
    assert roles.group == "group"
    assert "'group' are kept on one side of every split" in roles.notes[1]
    few = table(**{**columns, "group": ["x", "y"] * 10})
    assert choose_columns(few, choice()).group is None
    assert choose_columns(few, choice(group_column="group")).group == "group"


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        ({"n": [1, 2]}, {}, r"has no column of text; it has 'n': name one with text_column"),
        ({}, {}, r"has no column of text; it has none"),
        (
            {"text": TEXTS},
            {},
            r"no column beside 'text', the text, looks like labels \(label_columns",
        ),
        (
            {"text": TEXTS, "v": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]},
            {},
            r"'v' holds 6 different numbers",
        ),
        ({"text": TEXTS, "v": ["a;b", "a", "b", "b"]}, {}, r"'v' holds several labels in one cell"),
        (
            {"text": TEXTS},
            {"text_column": "x"},
            r"no column 'x', which text_column names; it has",
        ),
        ({"text": TEXTS}, {"label_columns": ("x",)}, r"no column 'x', which label_columns names"),
        (
            {"text": TEXTS},
            {"label_columns": ("t=x",)},
            r"no column 'x', which label_columns names",
        ),
        ({"text": TEXTS}, {"split_column": "x"}, r"no column 'x', which split_column names"),
        ({"text": TEXTS}, {"group_column": "x"}, r"no column 'x', which group_column names"),
        (
            {"text": TEXTS},
            {"label_columns": ("a=text",)},
            r"'text' is the text and cannot be labels",
        ),
        (
            {"text": TEXTS, "a b": ["x", "y"], "a?b": ["x", "y"]},
            {"label_columns": ("a b", "a?b")},
            r"columns 'a b' and 'a\?b' both give the task 'a_b': name one with label_columns OT",
        ),
        (
            {"text": TEXTS, "b": ["x", "y"]},
            {"label_columns": ("text=b",)},
            r"cannot give a task called 'text': give it another name with label_columns NAME=b",
        ),
    ],
)
def test_columns_that_cannot_be_are_refused_naming_those_there(
    columns: dict[str, list[Cell]], settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        choose_columns(table(**columns), choice(**settings))
