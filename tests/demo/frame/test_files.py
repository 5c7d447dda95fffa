import csv
import io
import json

import pytest

from core.encoder.encoder import Encoder
from core.model.documents import search_document, similarity_document
from demo.frame import files as downloads
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
