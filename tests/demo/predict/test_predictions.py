import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.encoder.encoder import CancelledError
from core.model.documents import predict_document
from core.model.model import MultiTaskModel
from demo.predict.predictions import (
    MOST_PREDICTED,
    UNREADABLE,
    Given,
    Predicted,
    marked_pieces,
    predict_many,
    predict_one,
    predictions_as,
    read_file,
    rows_with_threshold,
    word_pieces,
)
from tests.tiny_tasks import HOSTILE_TEXTS, KIND, MOOD, NAMES, tiny_model

TEXTS = ("Anna took the late ferry to Oslo.", "🎉 The sushi made Bo sick.", "It works.")


@pytest.fixture(scope="module")
def model(family_folder: Callable[[str], Path]) -> MultiTaskModel:
    return tiny_model(family_folder)


def test_the_words_of_a_view_and_the_rest_add_up_to_the_score(model: MultiTaskModel) -> None:
    view, _ = predict_one(model, TEXTS[0])
    row = predict_document(model, [TEXTS[0]], explain=True)[0]
    for task in view["tasks"][:2]:
        said = row[task["name"]]
        for k, label in enumerate(task["labels"]):
            assert task["scores"][k] == pytest.approx(said["scores"][label], abs=1e-6)
            added = sum(word["adds"][k] for word in task["words"])
            assert added == pytest.approx(task["sums"][k], abs=1e-4)
            assert task["special"][k] == pytest.approx(said["special"][label], abs=1e-6)


@pytest.mark.parametrize("text", [text for text in HOSTILE_TEXTS if text.strip()])
def test_the_pieces_of_a_view_are_the_text_whatever_it_holds(
    text: str, model: MultiTaskModel
) -> None:
    view, row = predict_one(model, text)
    marked = "".join(piece["text"] for piece in view["tasks"][2]["pieces"])
    if len(text) <= 300:
        assert marked == text
    assert "words" not in row["kind"], "a download has the plain row"
    json.dumps(view, allow_nan=False)


def test_a_view_says_that_the_encoder_could_not_read_a_text(model: MultiTaskModel) -> None:
    assert predict_one(model, "It works.")[0]["warnings"] == []
    assert predict_one(model, "x" * 5_000)[0]["warnings"] == [UNREADABLE]
    view, _ = predict_many(model, Given(texts=("It works.", "\U0001f9ff", "x" * 5_000)))
    assert len(view["warnings"]) == 1
    assert view["warnings"][0].startswith("2 of them hold no word or sign")


@given(st.text(max_size=40), st.lists(st.integers(0, 40), max_size=6))
def test_marked_pieces_put_together_are_the_text(text: str, cuts: list[int]) -> None:
    bounds = sorted({cut for cut in cuts if cut <= len(text)})
    pairs = zip(bounds[::2], bounds[1::2], strict=False)
    entities = [
        {"text": text[a:b], "start": a, "end": b, "label": "PER", "confidence": 0.5}
        for a, b in pairs
    ]
    pieces = marked_pieces(text, entities)
    assert "".join(piece["text"] for piece in pieces) == text
    assert [piece["text"] for piece in pieces if "label" in piece] == [e["text"] for e in entities]


def test_word_pieces_keep_what_stands_between_the_words() -> None:
    words = [
        {"text": "Hi", "start": 2, "end": 4, "contributions": {"a": 1.0}},
        {"text": "you", "start": 7, "end": 10, "contributions": {"a": -0.5}},
    ]
    pieces = word_pieces("  Hi — you!", words, ["a"])
    assert [(p["text"], p["after"], p["adds"]) for p in pieces] == [
        ("Hi", " — ", [1.0]),
        ("you", "!", [-0.5]),
    ]


def test_a_head_whose_scores_do_not_split_says_why(
    family_folder: Callable[[str], Path],
) -> None:
    pooled = tiny_model(family_folder, tasks=[KIND], pooling="cls")
    task = predict_one(pooled, TEXTS[0])[0]["tasks"][0]
    assert task["words"] == []
    assert "cls pooling" in task["reason"]


def test_where_each_head_reads_is_said(family_folder: Callable[[str], Path]) -> None:
    said = [
        predict_one(tiny_model(family_folder, tasks=[MOOD], read=read), "Snow.")[0]["tasks"][0][
            "read"
        ]
        for read in (0, 2, "mix")
    ]
    assert said == [
        "reads the embeddings, below layer 1",
        "reads layer 2 of 3",
        "reads a mix of all 3 layers",
    ]


def test_a_table_holds_each_sentence_with_its_label_and_its_spans(model: MultiTaskModel) -> None:
    view, predicted = predict_many(model, Given(texts=TEXTS, notes=("Read so.",)))
    rows = predict_document(model, TEXTS)
    assert predicted.rows == json.loads(json.dumps(rows))
    for shown, row in zip(view["rows"], rows, strict=True):
        label, sure = shown["said"][0]
        assert (shown["text"], KIND.labels[label]) == (row["text"], row["kind"]["label"])
        assert sure == pytest.approx(row["kind"]["confidence"], abs=1e-6)
        found = [(text, NAMES.labels[k]) for text, k, _ in shown["said"][2]]
        assert found == [(e["text"], e["label"]) for e in row["names"]]
    assert view["notes"][0] == "Read so."
    assert "of 3 layers run" in view["notes"][1] or "all 3 layers run" in view["notes"][1]


def test_many_sentences_tell_how_far_they_are_and_can_be_stopped(model: MultiTaskModel) -> None:
    told: list[tuple[int, int]] = []
    many = Given(texts=tuple(f"Ferry {number}." for number in range(2_500)))
    predict_many(model, many, lambda *done: told.append(done))
    assert told == sorted(told)
    assert told[-1] == (2_500, 2_500)
    with pytest.raises(CancelledError):
        predict_many(model, many, cancelled=lambda: True)
    with pytest.raises(ValueError, match="10,001 sentences, must be at most 10,000"):
        predict_many(model, Given(texts=("a",) * (MOST_PREDICTED + 1)))


def test_a_threshold_for_all_says_anew_what_is_unsure(model: MultiTaskModel) -> None:
    rows = Predicted.of(predict_document(model, TEXTS)).rows
    assert rows_with_threshold(rows, None) == rows
    for below, unsure in ((0.0, False), (1.0, True)):
        judged = rows_with_threshold(rows, below)
        assert {row["kind"]["unsure"] for row in judged} == {unsure}
        assert {entity["unsure"] for row in judged for entity in row["names"]} <= {unsure}
        assert [row["text"] for row in judged] == list(TEXTS)


def test_downloads_are_rows_a_spreadsheet_and_a_program_read(model: MultiTaskModel) -> None:
    _, predicted = predict_many(model, Given(texts=("=1+1", "It works.")))
    lines = predictions_as(model, predicted, "jsonl", 1.0).splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["=1+1", "It works."]
    assert all(json.loads(line)["mood"]["unsure"] for line in lines)
    sheet = predictions_as(model, predicted, "csv", None)
    assert sheet.startswith("\ufefftext,kind,kind_confidence,kind_unsure,mood,")
    assert "\n'=1+1," in sheet


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_a_files_column_is_guessed_or_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "review,title\nIt works.,A\n,B\nIt broke.,C\n")
    found = read_file(path, "")
    assert found.texts == ("It works.", "It broke.")
    assert found.notes == (
        "“a.csv”: reading column 'review' (guessed; “Column” names another).",
        "Left out 1 without text.",
    )
    assert read_file(path, " title ").texts == ("A", "B", "C")


@pytest.mark.parametrize(
    ("name", "content", "column", "message"),
    [
        ("a.csv", "a,b\n1,2\n", "", "“a.csv”: no column is called text, sentence, sentence"),
        ("a.csv", "text\nfine\n" + '"open\n', "", "“a.csv”: line 3 is not CSV"),
        ("a.csv", "text\nx\n", "b", "“a.csv” has no column 'b'; it has 'text'"),
        ("a.txt", "one\n", "b", "has one sentence a line and no columns: leave “Column” out"),
        ("a.jsonl", '{"text": "x"}\n{"text": 3}\n', "", "line 2, 'text' holds no text"),
        ("a.csv", b"PK\x03\x04 bomb", "", "“a.csv” is compressed (zip): unpack it"),
        ("a.txt", "x\n" * (MOST_PREDICTED + 1), "", "has more than 10,000 sentences"),
        ("a.txt", "\n \n", "", "“a.txt” has no sentence"),
        ("a.parquet", b"PAR1 no", "", "“a.parquet” cannot be read as Parquet"),
        ("a.xlsx", "x", "", "“a.xlsx” ends in .xlsx, must be .txt"),
    ],
)
def test_a_bad_file_is_one_sentence_with_its_line_and_no_path_of_the_server(
    name: str, content: str | bytes, column: str, message: str, tmp_path: Path
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(ValueError, match=r"^.+$") as refused:
        read_file(path, column)
    assert message in str(refused.value)
    assert str(tmp_path) not in str(refused.value)
    assert "--column" not in str(refused.value)


def test_a_parquet_file_that_is_small_only_while_packed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "packed.parquet"
    texts = [f"{number} " + "x" * 900_000 for number in range(30)]
    pq.write_table(pa.table({"text": texts}), path, compression="zstd", use_dictionary=False)
    assert path.stat().st_size < 200_000
    with pytest.raises(ValueError, match="bytes of text when unpacked, must be at most 16,000,000"):
        read_file(str(path), "")


def test_a_file_that_was_removed_is_asked_for_again(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no longer here: upload it again"):
        read_file(str(tmp_path / "gone.csv"), "")
