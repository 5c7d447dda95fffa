import contextlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.tables.cells import choose_column
from core.tables.parquet import ParquetColumn


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        (["id", "Text"], 1),
        (["title", "text"], 1),
        (["label", " Sentence "], 1),
        (["whatever"], 0),
        (["text", "text"], 0),
    ],
)
def test_a_column_of_sentences_is_guessed_and_the_guess_is_said(
    columns: list[str], chosen: int
) -> None:
    notes: list[str] = []
    assert choose_column("f", columns, None, notes) == chosen
    assert len(notes) == 1
    assert repr(columns[chosen]) in notes[0]


def test_a_column_asked_for_is_taken_without_a_word() -> None:
    notes: list[str] = []
    assert choose_column("f", ["text", "other"], "other", notes) == 1
    assert notes == []


@pytest.mark.parametrize(
    ("columns", "asked", "message"),
    [
        (["id", "n"], None, r"f: no column is called text, .* column: it has 'id', 'n'"),
        ([], None, r"it has none"),
        (["a", "b"], "c", r"f has no column 'c'; it has 'a', 'b'"),
        (["a", "a"], "a", r"f has 2 columns 'a'"),
        ([f"c{n}" for n in range(500)], "x", r"'c11' and 488 more$"),
        ([""] * 10_001, None, r"f has 10,001 columns, must be at most 10,000"),
    ],
)
def test_a_column_that_cannot_be_found_is_refused_with_those_there_are(
    columns: list[str], asked: str | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        choose_column("f", columns, asked, [])


def test_a_text_packed_once_for_many_rows_is_refused_before_it_is_held_for_each(
    tmp_path: Path,
) -> None:
    path = tmp_path / "packed.parquet"
    pq.write_table(pa.table({"text": ["x" * 2_000_000] * 300}), path, compression="zstd")
    assert path.stat().st_size < 100_000
    with contextlib.closing(ParquetColumn(path, None, [])) as column:
        before = pa.total_allocated_bytes()
        with pytest.raises(ValueError, match="holds a text of 2,000,000 bytes after row 0"):
            list(column)
        assert pa.total_allocated_bytes() - before < 300 * 2_000_000


def test_the_unpacked_size_is_that_of_the_sentences_alone(tmp_path: Path) -> None:
    path = tmp_path / "two.parquet"
    longs = ["y" * 1000 + str(n) for n in range(100)]
    pq.write_table(pa.table({"text": ["It rained."] * 100, "other": longs}), path)
    with contextlib.closing(ParquetColumn(path, "text", [])) as column:
        assert 10 < column.unpacked_bytes < 10_000
        assert [text for _, text in column] == ["It rained."] * 100
    with contextlib.closing(ParquetColumn(path, "other", [])) as column:
        assert column.unpacked_bytes > 100_000
