import csv
import io
import json
import os
from pathlib import Path

import gradio as gr
import pytest

from core.encoder.encoder import Encoder
from core.model.documents import search_document, similarity_document
from demo.frame import files as downloads
from demo.frame.files import EMPTY_SECONDS, Uploads
from demo.similarity.events import similarity_csv


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "=HYPERLINK('x')"])
def test_text_that_a_spreadsheet_would_run_gets_a_quote(text: str) -> None:
    assert downloads.harmless(text) == "'" + text


def test_numbers_and_plain_text_stay_as_they_are() -> None:
    assert [downloads.harmless(cell) for cell in (-0.5, 3, "a=b")] == [-0.5, 3, "a=b"]


def test_the_csv_of_pairs_reads_back(tiny_encoder: Encoder) -> None:
    document = similarity_document(tiny_encoder, ["a, b", 'c "d"', "=e"])
    text = similarity_csv(document).removeprefix("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 3
    assert {rows[0]["sentence_a"], rows[0]["sentence_b"]} <= {"a, b", 'c "d"', "'=e"}
    assert float(rows[0]["cosine"]) == pytest.approx(document["pairs"][0]["score"])


def test_the_json_is_the_command_lines_document(tiny_encoder: Encoder) -> None:
    document = search_document(tiny_encoder, "snow", ["schön", "lava"])
    assert json.loads(downloads.as_json(document)) == document
    assert "schön" in downloads.as_json(document)


MINE, OTHER = gr.Request(session_hash="mine"), gr.Request(session_hash="other")


def upload(cache: Path, folder: str, name: str = "a.csv") -> str:
    path = cache / folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("text\nIt rained.\n")
    return str(path)


def test_the_file_before_goes_when_another_comes_and_the_last_with_the_page(tmp_path: Path) -> None:
    uploads = Uploads()
    first, second = upload(tmp_path, "one"), upload(tmp_path, "two")
    uploads.keep(first, MINE)
    uploads.keep(second, MINE)
    assert [path.name for path in tmp_path.iterdir()] == ["two"]
    uploads.keep(second, MINE)  # read again, with another column
    assert Path(second).is_file()
    uploads.remove(MINE)
    assert list(tmp_path.iterdir()) == []
    uploads.remove(MINE)


def test_a_file_that_another_page_uploaded_too_stays_for_it(tmp_path: Path) -> None:
    uploads, path = Uploads(), upload(tmp_path, "same")
    uploads.keep(path, MINE)
    uploads.keep(path, OTHER)
    uploads.remove(MINE)
    assert Path(path).is_file()
    uploads.remove(OTHER)
    assert not Path(path).exists()


def test_the_empty_files_that_gradio_leaves_are_swept_when_they_are_old(tmp_path: Path) -> None:
    old, young, full = (tmp_path / name for name in ("tmpold", "tmpyoung", "tmpfull"))
    for path in (old, young, full):
        path.write_text("x" if path is full else "")
    for path in (old, full):
        os.utime(path, (0, path.stat().st_mtime - EMPTY_SECONDS - 1))
    Uploads().keep(upload(tmp_path, "one"), MINE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "tmpfull", "tmpyoung"]
