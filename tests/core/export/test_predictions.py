import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.export.predictions import predictions_file, predictions_text
from core.task import Task

TASKS = (
    Task(name="tone", kind="sentence", labels=("=good", "bad")),
    Task(name="names", kind="token", labels=("PER",)),
)
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def row(text: str, label: str = "bad", confidence: float = 0.75) -> dict[str, Any]:
    entity = {"text": "Ada", "label": "PER", "start": 0, "end": 3, "confidence": 0.5}
    said = {"label": label, "confidence": confidence, "unsure": True, "scores": {label: confidence}}
    return {"text": text, "tone": said, "names": [{**entity, "unsure": False}]}


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_has_a_row_a_sentence_with_its_labels_and_its_entities_as_json() -> None:
    found = read_csv(predictions_text([row('Ada said "no", 雪')], ".csv", TASKS))
    assert list(found[0]) == ["text", "tone", "tone_confidence", "tone_unsure", "names"]
    assert found[0]["text"] == 'Ada said "no", 雪'
    assert (found[0]["tone"], found[0]["tone_confidence"]) == ("bad", "0.750000")
    assert found[0]["tone_unsure"] == "true"
    assert json.loads(found[0]["names"]) == row("")["names"]


def test_jsonl_is_the_command_lines_rows() -> None:
    rows = [row("one"), {**row("two"), "truncated": True}]
    lines = predictions_text(rows, ".jsonl", TASKS).splitlines()
    assert [json.loads(line) for line in lines] == rows


@given(st.text(max_size=30), st.sampled_from(["", *FORMULAS]))
def test_no_cell_is_a_formula_and_every_row_comes_back(text: str, start: str) -> None:
    given_text = start + text.replace("\r", "").replace("\n", "").replace("\0", "")
    text_read = read_csv(predictions_text([row(given_text, "=good")], ".csv", TASKS))
    assert len(text_read) == 1
    cells = text_read[0]
    assert not [cell for cell in cells.values() if cell.startswith(FORMULAS)]
    assert cells["text"].removeprefix("'") == given_text.removeprefix("'")
    assert cells["tone"] == "'=good"


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "said.csv"
    with predictions_file(path, TASKS) as writer:
        writer.write([row("one")])
        writer.write([row("two")])
        assert not path.exists()
    assert [each["text"] for each in read_csv(path.read_text("utf-8"))] == ["one", "two"]
    with pytest.raises(KeyError), predictions_file(path, TASKS) as writer:
        writer.write([{"text": "no label"}])
    assert len(read_csv(path.read_text("utf-8"))) == 2
    assert list(tmp_path.iterdir()) == [path]


def test_another_suffix_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'\.xlsx', must be \.csv or \.jsonl"):
        predictions_text([], ".xlsx", TASKS)
