"""Every file format answers for itself: how its files are called, and what is read and written."""

import io
from pathlib import Path

import pytest

from core.tables.columns import Table
from core.tables.format import Format
from core.tables.formats import (
    FORMATS,
    LISTS,
    TABLES,
    WRITTEN,
    endings_in_words,
    format_of,
    format_of_text,
    named,
    suffixes_of,
)
from core.tables.table_files import read_table

TABLE = Table(
    name="made",
    names=("text", "grade", "tone"),
    columns={"text": ["Snow, at last", "=1+1"], "grade": [1, None], "tone": ["calm", "loud"]},
    places=[2, 3],
    unit="line",
)


def test_no_ending_belongs_to_two_formats() -> None:
    endings = [suffix for each in FORMATS for suffix in each.suffixes]
    assert len(set(endings)) == len(endings)
    assert set(suffixes_of(LISTS)) < set(suffixes_of(FORMATS))


@pytest.mark.parametrize("one", FORMATS, ids=lambda each: type(each).__name__)
def test_a_format_is_found_by_each_of_its_endings(one: Format, tmp_path: Path) -> None:
    for suffix in one.suffixes:
        path = tmp_path / f"rows{suffix.upper()}"
        path.write_text("something")
        assert format_of(path, FORMATS, told=FORMATS) is one


def test_an_ending_that_is_none_is_told_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "rows.docx"
    path.write_text("something")
    with pytest.raises(ValueError, match=r"ends in \.docx, must be \.csv, .* or \.conll$"):
        format_of(path, FORMATS, told=TABLES)
    assert endings_in_words(LISTS).startswith(".txt (one sentence a line), .csv")


@pytest.mark.parametrize("one", WRITTEN, ids=lambda each: type(each).__name__)
def test_what_a_format_writes_it_reads_again(one: Format, tmp_path: Path) -> None:
    path = tmp_path / f"rows{one.suffixes[0]}"
    file = io.BytesIO()
    formulas = one.write(TABLE, [1, 0], file, safe=False)
    path.write_bytes(file.getvalue())
    read = read_table(str(path))
    assert read.names == TABLE.names
    assert read.columns["text"] == ["=1+1", "Snow, at last"]
    assert [str(cell) for cell in read.columns["grade"]][1] in ("1", "1.0")
    assert formulas == (1 if "csv" in one.media or "tab" in one.media else 0)


@pytest.mark.parametrize("one", WRITTEN, ids=lambda each: type(each).__name__)
def test_a_cell_is_made_harmless_only_where_a_spreadsheet_would_run_it(one: Format) -> None:
    file = io.BytesIO()
    assert one.write(TABLE, [0, 1], file, safe=True) == 0
    runs = "csv" in one.media or "tab" in one.media
    assert (b"'=1+1" in file.getvalue()) == runs


def test_a_text_without_a_name_is_told_by_its_first_line() -> None:
    assert format_of_text('{"text": "Snow"}') is named(Path("x.jsonl"), FORMATS)
    assert type(format_of_text("text,tone")) is type(named(Path("x.csv"), FORMATS))
