import csv
import io
import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.encoder.encoder import Encoding
from core.export.embeddings import SUFFIXES, JsonWriter, NpyWriter, embeddings_file
from core.system.files import check_target, replaced_whole, spreadsheet_safe

HEADER = {"model": "tiny", "pooling": "mean", "dimension": 3, "normalized": True}
TEXTS = ["A cat.", 'He said "no", twice.', "=HYPERLINK(1)", "naïve 日本 👍"]
VECTORS = torch.tensor([[0.1, -2.5e-8, 1.0], [1 / 3, 0.0, -7.0], [1e20, -0.0, 2.0], [3, 4, 5]])
TRUNCATED = (False, True, False, False)


def write(path: Path) -> Path:
    """Write four sentences in two pieces, as a stream comes."""
    with embeddings_file(path, HEADER) as writer:
        for rows in (slice(0, 3), slice(3, 4)):
            encoding = Encoding(vectors=VECTORS[rows], truncated=TRUNCATED[rows])
            writer.write(TEXTS[rows], encoding)
    return path


def read_json(path: Path) -> tuple[list[str], Any, list[bool]]:
    document = json.loads(path.read_text(encoding="utf-8"))
    assert {key: document[key] for key in HEADER} == HEADER
    assert list(document) == [*HEADER, "sentences"]
    rows = document["sentences"]
    return [r["text"] for r in rows], [r["embedding"] for r in rows], [r["truncated"] for r in rows]


def read_csv(path: Path) -> tuple[list[str], Any, list[bool]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["text", "truncated", "e1", "e2", "e3"]
    numbers = [[float(row[f"e{n}"]) for n in (1, 2, 3)] for row in rows]
    return [r["text"] for r in rows], numbers, [json.loads(r["truncated"]) for r in rows]


def read_parquet(path: Path) -> tuple[list[str], Any, list[bool]]:
    table = pq.read_table(path)
    assert json.loads(table.schema.metadata[b"dimension"]) == 3
    assert json.loads(table.schema.metadata[b"model"]) == "tiny"
    columns = [table.column(name).to_pylist() for name in ("text", "embedding", "truncated")]
    return columns[0], columns[1], columns[2]


@pytest.mark.parametrize(
    ("suffix", "read"), [(".json", read_json), (".csv", read_csv), (".parquet", read_parquet)]
)
def test_what_is_written_is_read_back_to_the_last_bit(
    suffix: str, read: Callable[[Path], tuple[list[str], Any, list[bool]]], tmp_path: Path
) -> None:
    texts, numbers, truncated = read(write(tmp_path / f"out{suffix}"))
    safe = "'=HYPERLINK(1)" if suffix == ".csv" else "=HYPERLINK(1)"
    assert texts == [*TEXTS[:2], safe, TEXTS[3]]
    assert torch.equal(torch.tensor(numbers, dtype=torch.float32), VECTORS)
    assert truncated == list(TRUNCATED)


@pytest.mark.parametrize("mode", [None, "r"])
def test_npy_is_loaded_by_numpy_without_pickle(mode: Any, tmp_path: Path) -> None:  # noqa: ANN401
    path = write(tmp_path / "out.npy")
    loaded = np.load(path, allow_pickle=False, mmap_mode=mode)
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(np.array(loaded), VECTORS.numpy())


@pytest.mark.parametrize("rows", [0, 1, 10**12])
def test_the_npy_header_is_of_one_size_whatever_the_count(rows: int) -> None:
    file = io.BytesIO()
    writer = NpyWriter(file, 4_096)
    writer._rows = rows
    writer.finish()
    file.seek(0)
    assert np.lib.format.read_magic(file) == (1, 0)
    assert np.lib.format.read_array_header_1_0(file) == ((rows, 4_096), False, np.dtype("<f4"))
    assert file.tell() == 128


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_json_brings_every_fp32_number_back_exactly(numbers: list[float]) -> None:
    file = io.BytesIO()
    writer = JsonWriter(file, HEADER)
    vectors = torch.tensor([numbers], dtype=torch.float32)
    writer.write(["a"], Encoding(vectors=vectors, truncated=(False,)))
    writer.finish()
    found = json.loads(file.getvalue())["sentences"][0]["embedding"]
    assert torch.equal(torch.tensor([found], dtype=torch.float32), vectors)


def test_a_document_without_sentences_is_still_json() -> None:
    file = io.BytesIO()
    JsonWriter(file, HEADER).finish()
    assert json.loads(file.getvalue()) == {**HEADER, "sentences": []}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_a_formula_is_written_as_text(text: str) -> None:
    assert spreadsheet_safe(text) == f"'{text}"


def test_what_is_no_formula_stays_as_it_is() -> None:
    assert spreadsheet_safe("1 = 1") == "1 = 1"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError, ValueError])
def test_whatever_breaks_off_leaves_the_old_file_and_no_other(
    suffix: str, failure: type[BaseException], tmp_path: Path
) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_text("old")

    def break_off() -> None:
        with embeddings_file(path, HEADER) as writer:
            writer.write(TEXTS, Encoding(vectors=VECTORS, truncated=TRUNCATED))
            raise failure

    with pytest.raises(failure):
        break_off()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    with embeddings_file(path, HEADER):
        assert not path.exists()
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_replaced_file_keeps_its_permissions_and_a_new_one_has_the_usual(
    tmp_path: Path,
) -> None:
    old, new, usual = tmp_path / "old", tmp_path / "new", tmp_path / "usual"
    old.touch()
    old.chmod(0o640)
    usual.touch()
    for path in (old, new):
        with replaced_whole(path) as file:
            file.write(b"x")
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert new.stat().st_mode == usual.stat().st_mode


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.xyz", r"ends in \.xyz, must end in one of: \.json, \.csv, \.npy, \.parquet"),
        ("out", r"has no suffix, must end in one of"),
        ("x" * 300 + ".json", r"cannot be written"),
        ("missing/out.json", r"is in a folder that is not there: make it first"),
        ("folder.json", r"is a folder or a device, must be a file"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(ValueError, match=message):
        check_target(tmp_path / name, suffixes=SUFFIXES)


@pytest.mark.skipif(
    sys.platform == "win32" or os.access("/", os.W_OK), reason="root may write everywhere"
)
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(ValueError, match="is in a folder that you may not write to"):
        check_target(tmp_path / "locked" / "out.json", suffixes=SUFFIXES)


@pytest.mark.skipif(sys.platform == "win32", reason="a link needs rights on Windows")
def test_a_linked_file_is_replaced_and_its_link_stays(tmp_path: Path) -> None:
    (tmp_path / "far.json").write_text("old")
    (tmp_path / "link.json").symlink_to("far.json")
    write(check_target(tmp_path / "link.json", suffixes=SUFFIXES))
    assert (tmp_path / "link.json").is_symlink()
    assert read_json(tmp_path / "far.json")[0] == TEXTS
