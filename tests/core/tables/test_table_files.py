import datetime
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.tables import held, table_files
from core.tables.labels import Nested
from core.tables.table_files import read_table

ROWS: list[dict[str, Any]] = [
    {"text": "A cat.", "topic": "pets", "n": "1"},
    {"text": 'It "rains", often.', "topic": "weather", "n": "2"},
    {"text": "two\nlines", "topic": None, "n": "3"},
]


def write(path: Path, given: list[dict[str, Any]] = ROWS) -> str:
    """Write rows in the format that the name asks for."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(given), path)
        return str(path)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
        return str(path)
    between = "\t" if path.suffix == ".tsv" else ","
    quoted = [
        between.join('"' + (row[key] or "").replace('"', '""') + '"' for key in given[0])
        for row in given
    ]
    path.write_text("\n".join([between.join(given[0]), *quoted]) + "\n", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_kind_of_file_gives_the_same_table(suffix: str, tmp_path: Path) -> None:
    table = read_table(write(tmp_path / f"f{suffix}"))
    assert table.names == ("text", "topic", "n")
    assert [list(map(str, table.columns[name])) for name in ("text", "n")] == [
        [row["text"] for row in ROWS],
        ["1", "2", "3"],
    ]
    assert [cell or None for cell in table.columns["topic"]] == ["pets", "weather", None]
    places = {".jsonl": [1, 2, 3], ".parquet": [1, 2, 3]}.get(suffix, [2, 3, 4])
    assert (list(table.places), table.unit) == (places, "row" if suffix == ".parquet" else "line")


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_only_the_columns_that_are_wanted_are_held(suffix: str, tmp_path: Path) -> None:
    table = read_table(write(tmp_path / f"f{suffix}"), {"text", "none"})
    assert set(table.columns) == {"text"}
    assert table.names == ("text", "topic", "n"), "but all names are known"


def test_places_are_lines_even_after_a_cell_of_two_lines_or_a_blank_one(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text('text,a\n"two\nlines",1\n\nb\n')
    table = read_table(str(tmp_path / "f.csv"))
    assert list(table.places) == [2, 5]
    assert table.columns["a"] == ["1", None], "a row that ends early has empty cells"


def test_keys_may_come_and_go_in_jsonl(tmp_path: Path) -> None:
    given = [{"a": 1}, {"b": [1, "é"]}, {"a": None, "c": {"d": True}}]
    table = read_table(write(tmp_path / "f.jsonl", given))
    assert dict(table.columns) == {
        "a": [1, None, None],
        "b": [None, '[1, "é"]', None],
        "c": [None, None, '{"d": true}'],
    }
    assert isinstance(table.columns["b"][1], Nested)


def test_what_else_parquet_holds_becomes_cells(tmp_path: Path) -> None:
    given = [
        {
            "whole": 3,
            "part": 0.5,
            "yes": True,
            "day": datetime.date(2024, 1, 2),
            "exact": Decimal("1.5"),
            "bytes": b"x",
            "spans": [{"start": 0, "end": 1, "label": "X"}],
            "none": None,
        }
    ]
    table = read_table(write(tmp_path / "f.parquet", given))
    assert {name: cells[0] for name, cells in table.columns.items()} == {
        "whole": 3,
        "part": 0.5,
        "yes": True,
        "day": "2024-01-02",
        "exact": "1.5",
        "bytes": '"1 bytes"',
        "spans": '[{"start": 0, "end": 1, "label": "X"}]',
        "none": None,
    }


def test_columns_without_a_name_get_one(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(",text\n0,a\n")
    assert read_table(str(tmp_path / "f.csv")).names == ("column 1", "text")


@pytest.mark.parametrize("name", ["f.conll", "f.bio", "f.txt"])
def test_conll_becomes_text_and_entities(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("-DOCSTART- O\n\nLima B-LOC\nwakes O\n. O\n\nYes O\n")
    table = read_table(str(tmp_path / name))
    assert dict(table.columns) == {
        "text": ["Lima wakes.", "Yes"],
        "entities": ['[{"start": 0, "end": 4, "label": "LOC"}]', "[]"],
        "document": ["1", "1"],
    }
    assert (list(table.places), table.certain) == ([3, 7], True)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("f.md", "a", r"f\.md ends in \.md, must be \.csv, \.tsv, \.jsonl, \.parquet or \.conll$"),
        ("f.csv", "", r"f\.csv is empty"),
        ("f.csv", "text,topic\n", r"f\.csv has no rows"),
        ("f.jsonl", "\n\n", r"f\.jsonl has no rows"),
        ("f.txt", "A cat.\nA dog.\n", r"has neither columns nor a token and its tag a line"),
        ("f.csv", "a,b,a\n1,2,3\n", r"has 2 columns 'a': rename one"),
        ("f.csv", "a\n1,2\n", r"line 2 has 2 cells and the header has 1"),
        ("f.jsonl", '{"a": 1}\n"b"\n', r"line 2 holds '\"b\"', must be an object such as"),
        ("f.jsonl", '{"a": \n', r"line 1 is not JSON"),
        ("f.conll", "EU B-ORG\nx\n", r"line 2 ends in 'x', must be a token and a tag"),
        ("f.csv", "text\n" + "x" * 100_001, r"line 2, 'text', has 100,001 characters, must be at"),
        ("f.jsonl", '{"b": ["' + "x" * 100_000 + '"]}', r"line 1, 'b', has 100,004 characters"),
        ("f.parquet", "PAR1", r"f\.parquet cannot be read as Parquet"),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence(
    name: str, content: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_table(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f.csv")
    with pytest.raises(ValueError, match="is no plain file"):
        read_table(str(tmp_path / "f.csv"))
    with pytest.raises(ValueError, match="is a folder"):
        read_table(str(tmp_path))
    with pytest.raises(ValueError, match="cannot be opened: File name too long"):
        read_table("x" * 5_000 + ".csv")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize(
    ("bound", "most", "message"),
    [
        ("MAX_BYTES", 20, r"bytes, must be at most 20: give a part of it"),
        ("MAX_ROWS", 2, r"(has more than 2 rows|has 3 rows, must be at most 2): give a part"),
        ("MAX_CELLS", 8, r"more than 8 cells or .* up to (line|row) \d: give fewer rows"),
        ("MAX_CHARACTERS", 9, r"(or 9 characters up to (line|row) \d|when unpacked, must be at)"),
    ],
)
def test_what_goes_over_a_bound_is_refused(
    suffix: str,
    bound: str,
    most: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(table_files if bound == "MAX_BYTES" else held, bound, most)
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path / f"f{suffix}"))


def test_what_is_at_its_bounds_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.csv"
    write(path)
    bounds = {"MAX_BYTES": path.stat().st_size, "MAX_ROWS": 3, "MAX_CELLS": 9}
    for bound, most in bounds.items():
        monkeypatch.setattr(table_files if bound == "MAX_BYTES" else held, bound, most)
    assert len(read_table(str(path)).places) == 3
