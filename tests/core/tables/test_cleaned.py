import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.tables.cleaned import SUFFIXES, check_copy_target, write_copy

ROWS = [
    {"id": 1, "text": "Rain, “again”;\nall day", "mood": "bad", "share": 1.5, "sure": True},
    {"id": 2, "text": "", "mood": "bad", "share": None, "sure": False},
    {"id": 3, "text": "=1+1 is @home", "mood": "-1", "share": 2.0, "sure": None},
]


def written(path: Path, rows: list[dict[str, object]]) -> str:
    """Write rows as the suffix says, with Python's and pyarrow's own writers."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writerow(rows[0])
            writer.writerows(row.values() for row in rows)
    return str(path)


def read_back(path: Path) -> list[dict[str, object]]:
    if path.suffix == ".parquet":
        return list(pq.read_table(path).to_pylist())
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


def places(suffix: str) -> list[int]:
    """Say where the first and last row stand: after a header, and one of two lines in CSV."""
    return {".csv": [2, 5], ".tsv": [2, 5]}.get(suffix, [1, 3])


@pytest.mark.parametrize("of", SUFFIXES)
@pytest.mark.parametrize("to", SUFFIXES)
def test_a_copy_of_any_kind_has_the_columns_and_cells_of_its_source(
    of: str, to: str, tmp_path: Path
) -> None:
    source, target = written(tmp_path / f"in{of}", ROWS), tmp_path / f"out{to}"
    assert write_copy(source, places(of), target).rows == 2
    copied = read_back(target)
    assert [list(row) for row in copied] == [list(ROWS[0])] * 2, "all columns, in order"
    assert [row["text"] for row in copied] == [ROWS[0]["text"], ROWS[2]["text"]]
    assert [row["mood"] for row in copied] == ["bad", "-1"]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_copy_of_the_same_kind_keeps_types(suffix: str, tmp_path: Path) -> None:
    source, target = written(tmp_path / f"in{suffix}", ROWS), tmp_path / f"out{suffix}"
    write_copy(source, places(suffix), target)
    assert read_back(target) == [ROWS[0], ROWS[2]]


def test_lines_of_jsonl_are_copied_letter_by_letter(tmp_path: Path) -> None:
    lines = ['{"text": "a",  "x": 1.50}', "", '{"x": [1, {"y": null}], "text": "caf\\u00e9"}']
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes("\r\n".join(lines).encode())
    write_copy(str(source), [1, 3], target)
    assert target.read_text(encoding="utf-8").splitlines() == [lines[0], lines[2]]


def test_parquet_keeps_its_schema(tmp_path: Path) -> None:
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    spans = pa.list_(pa.struct([("start", pa.int32()), ("label", pa.string())]))
    schema = pa.schema([("text", pa.large_string()), ("entities", spans), ("n", pa.int8())])
    rows = [{"text": f"t{n}", "entities": [{"start": n, "label": "PER"}], "n": n} for n in range(9)]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), source, row_group_size=2)
    assert write_copy(str(source), [2, 9], target).rows == 2
    copy = pq.read_table(target)
    assert copy.schema == schema
    assert copy.to_pylist() == [rows[1], rows[8]]


def test_spans_stay_spans_from_kind_to_kind(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"text": "Lima wakes", "entities": [{"start": 0, "end": 4, "label": "LOC"}]}
    ]
    source = written(tmp_path / "in.jsonl", rows)
    write_copy(source, [1], tmp_path / "a.csv")
    write_copy(str(tmp_path / "a.csv"), [2], tmp_path / "b.parquet")
    copied = read_back(tmp_path / "b.parquet")[0]["entities"]
    assert json.loads(str(copied)) == rows[0]["entities"], "JSON text, as CSV holds it"


def test_formulas_are_kept_for_training_and_made_harmless_for_a_spreadsheet(
    tmp_path: Path,
) -> None:
    source, target = written(tmp_path / "in.csv", ROWS), tmp_path / "out.csv"
    assert write_copy(source, [2, 5], target).formulas == 2
    assert read_back(target)[1]["text"] == "=1+1 is @home"
    assert write_copy(source, [2, 5], target, for_spreadsheets=True).formulas == 0
    assert read_back(target)[1]["text"] == "'=1+1 is @home"


def test_mixed_values_are_refused_as_parquet_and_leave_no_file(tmp_path: Path) -> None:
    mixed: list[dict[str, object]] = [{"text": "a", "x": 1}, {"text": "b", "x": "one"}]
    source, target = written(tmp_path / "in.jsonl", mixed), tmp_path / "out.parquet"
    with pytest.raises(ValueError, match=r"column 'x' cannot be written as Parquet.*\.jsonl"):
        write_copy(source, [1, 2], target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]


def test_the_source_is_never_written_over(tmp_path: Path) -> None:
    source = written(tmp_path / "in.csv", ROWS)
    (tmp_path / "link.csv").symlink_to(source)
    (tmp_path / "hard.csv").hardlink_to(source)
    for name in ("in.csv", "link.csv", "hard.csv", "./in.csv"):
        with pytest.raises(ValueError, match="is the file that is read: give another"):
            check_copy_target(tmp_path / name, source)


def test_a_target_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cleaned .*out\.txt ends in \.txt, must end in one of"):
        check_copy_target(tmp_path / "out.txt", "in.csv")
